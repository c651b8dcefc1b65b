// The handshake: every C1 is answered in full, in its own scheme. The first byte may have the input
// (as far as it goes) laid over a C1 with a right digest.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "proto/rtmp/handshake.hpp"
#include "tests/fuzz/check.hpp"

using namespace mpb::rtmp;

namespace {

void check_answer(const std::string& hello) {
  std::mt19937_64 random(1);
  const std::string_view c1 = std::string_view(hello).substr(1);
  const HandshakeScheme scheme = detect_scheme(c1);
  const std::string answer = answer_hello(hello, random);
  MPB_FUZZ_REQUIRE(answer.size() == kAnswerSize);
  MPB_FUZZ_REQUIRE(answer.front() == static_cast<char>(kVersion));
  const std::string_view s1 = std::string_view(answer).substr(1, kHandshakeBlock);
  const std::string_view s2 = std::string_view(answer).substr(1 + kHandshakeBlock);
  MPB_FUZZ_REQUIRE((s2 == c1) == (scheme == HandshakeScheme::kSimple));
  MPB_FUZZ_REQUIRE(answer_server(s1) == s1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::mt19937_64 random(data[0]);
  const auto scheme = static_cast<HandshakeScheme>(data[0] % 3);
  std::string hello = make_hello(scheme, random);
  MPB_FUZZ_REQUIRE(hello.size() == kHelloSize);
  MPB_FUZZ_REQUIRE(detect_scheme(std::string_view(hello).substr(1)) == scheme);
  const std::size_t laid = std::min(size - 1, kHandshakeBlock);
  std::copy_n(data + 1, laid, hello.begin() + 1);
  check_answer(hello);
  return 0;
}
