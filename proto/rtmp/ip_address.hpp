// IP addresses and endpoints as text and as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mpb::rtmp {

/// In network order: 4 bytes (IPv4) or 16 (IPv6). No zone.
struct IpAddress {
  std::string bytes{};
  [[nodiscard]] bool is_v4() const { return bytes.size() == 4; }
};

inline constexpr std::size_t kIpv4Size = 4;
inline constexpr std::size_t kIpv6Size = 16;

/// "192.0.2.1" or "2001:db8::1", without brackets and zone. Nothing: neither.
std::optional<IpAddress> parse_ip(std::string_view text);
/// As inet_ntop(3) writes it: "2001:db8::1"; an IPv4-mapped address is "::ffff:192.0.2.1".
std::string to_text(const IpAddress& address);

struct IpEndpoint {
  IpAddress address{};
  std::uint16_t port = 0;
};

/// "192.0.2.1:1234", "[2001:db8::1]:1234", or an address alone, in brackets or not: port 0.
std::optional<IpEndpoint> parse_endpoint(std::string_view text);
std::string to_text(const IpEndpoint& endpoint);

/// Digits only, at most 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

/// ::ffff:a.b.c.d for an IPv4 address; an IPv6 address stays.
IpAddress as_v6(const IpAddress& address);
/// a.b.c.d for an IPv4-mapped address; any other stays.
IpAddress unmapped(const IpAddress& address);

}  // namespace mpb::rtmp
