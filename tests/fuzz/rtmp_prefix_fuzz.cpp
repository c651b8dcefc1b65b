// The prefixes of proxies: a verdict stands whatever follows, waiting is bounded, and an address
// that was told can be told on.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/rtmp/ip_address.hpp"
#include "proto/rtmp/prefix.hpp"
#include "tests/fuzz/check.hpp"

using namespace mpb::rtmp;
using Kind = ProxyPrefix::Kind;

namespace {

constexpr std::size_t kLongest = kMaxProxyV2;  // of all prefixes

ProxyPrefix check(std::string_view input, ProxyPrefix (*read)(std::string_view)) {
  const ProxyPrefix prefix = read(input);
  MPB_FUZZ_REQUIRE((prefix.size > 0) == (prefix.kind == Kind::kFound));
  MPB_FUZZ_REQUIRE(prefix.size <= input.size());
  MPB_FUZZ_REQUIRE(prefix.kind != Kind::kNeedMore || input.size() < kLongest);
  if (prefix.kind == Kind::kFound) {
    MPB_FUZZ_REQUIRE(read(input.substr(0, prefix.size)).address == prefix.address);
    MPB_FUZZ_REQUIRE(read(input.substr(0, prefix.size - 1)).kind == Kind::kNeedMore);
  }
  if (prefix.kind == Kind::kBad || prefix.kind == Kind::kNone) {
    MPB_FUZZ_REQUIRE(read(std::string(input) + "\r\n").kind == prefix.kind);
  }
  return prefix;
}

void check_address(std::string_view text) {
  const auto endpoint = parse_endpoint(text);
  if (!endpoint) return;
  const std::string normal = to_text(*endpoint);
  const auto again = parse_endpoint(normal);
  MPB_FUZZ_REQUIRE(again && to_text(*again) == normal);
  MPB_FUZZ_REQUIRE(again->address.bytes == endpoint->address.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const ProxyPrefix proxy = check(input, read_proxy_protocol);
  if (!proxy.address.empty()) {
    for (const std::string& written :
         {make_proxy_v1(proxy.address, "[::1]:1935"), make_proxy_v2(proxy.address, "[::1]:1935")}) {
      MPB_FUZZ_REQUIRE(read_proxy_protocol(written).address == proxy.address);
    }
  }
  const ProxyPrefix srs = check(input, read_srs_real_ip);
  if (!srs.address.empty()) {
    MPB_FUZZ_REQUIRE(read_srs_real_ip(make_srs_real_ip(srs.address)).address == srs.address);
  }
  check_address(input);
  return 0;
}
