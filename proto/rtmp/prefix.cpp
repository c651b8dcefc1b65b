#include "proto/rtmp/prefix.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "proto/rtmp/big_endian.hpp"
#include "proto/rtmp/ip_address.hpp"

namespace mpb::rtmp {
namespace {

using Kind = ProxyPrefix::Kind;
using namespace std::string_view_literals;

constexpr std::string_view kV1Begin = "PROXY ";
constexpr std::string_view kV1Unknown = "PROXY UNKNOWN\r\n";
constexpr std::size_t kV1Longest = 107;  // line end included
constexpr std::string_view kV2Signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kV2Header = 16;
constexpr std::uint32_t kV2Local = 0x20;  // version and command
constexpr std::uint32_t kV2Proxy = 0x21;
constexpr std::uint32_t kTcpOverV4 = 0x11;
constexpr std::uint32_t kTcpOverV6 = 0x21;
constexpr char kSrsMark = '\xf3';
constexpr std::size_t kSrsHeader = 3;
constexpr std::size_t kSrsLongest = 1024;

std::string client_text(const IpAddress& address, std::uint16_t port) {
  return to_text(IpEndpoint{unmapped(address), port});
}

/// Whether `bytes` begin with `begin`; as long as they are shorter, whether they still may.
Kind begins_with(std::string_view bytes, std::string_view begin) {
  const std::size_t size = std::min(bytes.size(), begin.size());
  if (bytes.substr(0, size) != begin.substr(0, size)) return Kind::kNone;
  return size == begin.size() ? Kind::kFound : Kind::kNeedMore;
}

/// "TCP4 192.0.2.1 192.0.2.2 1234 1935", taken apart and checked. Nothing: malformed.
std::optional<std::string> v1_client(std::string_view line) {
  std::array<std::string_view, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t space = i + 1 == fields.size() ? line.size() : line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    fields[i] = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  const auto [family, client, server, client_port, server_port] = fields;
  if (family != "TCP4" && family != "TCP6") return std::nullopt;
  const auto from = parse_ip(client);
  const auto to = parse_ip(server);
  const auto port = parse_port(client_port);
  if (!from || !to || !port || !parse_port(server_port)) return std::nullopt;
  const bool v4 = family == "TCP4";
  if (from->is_v4() != v4 || to->is_v4() != v4) return std::nullopt;
  return client_text(*from, *port);
}

ProxyPrefix read_v1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kV1Longest).find("\r\n");
  if (end == std::string_view::npos) {
    return {bytes.size() < kV1Longest ? Kind::kNeedMore : Kind::kBad};
  }
  const std::string_view line = bytes.substr(kV1Begin.size(), end - kV1Begin.size());
  // Whatever follows UNKNOWN is to be ignored.
  if (line == "UNKNOWN" || line.substr(0, 8) == "UNKNOWN ") return {Kind::kFound, end + 2};
  auto client = v1_client(line);
  if (!client) return {Kind::kBad};
  return {Kind::kFound, end + 2, std::move(*client)};
}

ProxyPrefix read_v2(std::string_view bytes) {
  if (bytes.size() < kV2Header) return {Kind::kNeedMore};
  const std::uint32_t command = load_be(bytes.data() + kV2Signature.size(), 1);
  const std::uint32_t family = load_be(bytes.data() + kV2Signature.size() + 1, 1);
  const std::size_t size = kV2Header + load_be(bytes.data() + kV2Header - 2, 2);
  if ((command != kV2Local && command != kV2Proxy) || size > kMaxProxyV2) return {Kind::kBad};
  if (bytes.size() < size) return {Kind::kNeedMore};
  if (command == kV2Local || (family != kTcpOverV4 && family != kTcpOverV6)) {
    return {Kind::kFound, size};
  }
  // Source and destination address, source and destination port, further fields.
  const std::size_t width = family == kTcpOverV4 ? kIpv4Size : kIpv6Size;
  const std::string_view body = bytes.substr(kV2Header, size - kV2Header);
  if (body.size() < 2 * width + 4) return {Kind::kBad};
  const IpAddress client{std::string(body.substr(0, width))};
  const auto port = static_cast<std::uint16_t>(load_be(body.data() + 2 * width, 2));
  return {Kind::kFound, size, client_text(client, port)};
}

struct Pair {
  IpEndpoint client;
  IpEndpoint server;
};

/// Both ends in one family. Nothing: one of them is no IP address.
std::optional<Pair> parse_pair(std::string_view client, std::string_view server) {
  auto from = parse_endpoint(client);
  auto to = parse_endpoint(server);
  if (!from || !to) return std::nullopt;
  if (from->address.is_v4() != to->address.is_v4()) {
    from->address = as_v6(from->address);
    to->address = as_v6(to->address);
  }
  return Pair{std::move(*from), std::move(*to)};
}

}  // namespace

ProxyPrefix read_proxy_protocol(std::string_view bytes) {
  const Kind v1 = begins_with(bytes, kV1Begin);
  if (v1 == Kind::kFound) return read_v1(bytes);
  const Kind v2 = begins_with(bytes, kV2Signature);
  if (v2 == Kind::kFound) return read_v2(bytes);
  return {v1 == Kind::kNeedMore ? v1 : v2};
}

ProxyPrefix read_srs_real_ip(std::string_view bytes) {
  if (bytes.empty()) return {Kind::kNeedMore};
  if (bytes.front() != kSrsMark) return {Kind::kNone};
  if (bytes.size() < kSrsHeader) return {Kind::kNeedMore};
  const std::size_t length = load_be(bytes.data() + 1, 2);
  if (length > kSrsLongest) return {Kind::kBad};
  if (bytes.size() < kSrsHeader + length) return {Kind::kNeedMore};
  ProxyPrefix prefix{Kind::kFound, kSrsHeader + length};
  if (length >= kIpv4Size) {
    prefix.address = to_text(IpAddress{std::string(bytes.substr(kSrsHeader, kIpv4Size))});
  }
  return prefix;
}

std::string make_proxy_v1(std::string_view client, std::string_view server) {
  const auto pair = parse_pair(client, server);
  if (!pair) return std::string(kV1Unknown);
  const auto& [from, to] = *pair;
  return std::string(kV1Begin) + (from.address.is_v4() ? "TCP4 " : "TCP6 ") +
         to_text(from.address) + " " + to_text(to.address) + " " + std::to_string(from.port) + " " +
         std::to_string(to.port) + "\r\n";
}

std::string make_proxy_v2(std::string_view client, std::string_view server) {
  const auto pair = parse_pair(client, server);
  std::string out(kV2Signature);
  append_be(out, kV2Proxy, 1);
  if (!pair) {
    append_be(out, 0, 3);
    return out;
  }
  const auto& [from, to] = *pair;
  const bool v4 = from.address.is_v4();
  append_be(out, v4 ? kTcpOverV4 : kTcpOverV6, 1);
  append_be(out, static_cast<std::uint32_t>(2 * from.address.bytes.size() + 4), 2);
  out += from.address.bytes;
  out += to.address.bytes;
  append_be(out, from.port, 2);
  append_be(out, to.port, 2);
  return out;
}

std::string make_srs_real_ip(std::string_view client) {
  const auto endpoint = parse_endpoint(client);
  if (!endpoint) return {};
  const IpAddress address = unmapped(endpoint->address);
  if (!address.is_v4()) return {};
  std::string out(1, kSrsMark);
  append_be(out, kIpv4Size, 2);
  return out + address.bytes;
}

}  // namespace mpb::rtmp
