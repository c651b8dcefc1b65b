// What proxies put in front of a client's own bytes to tell its address: PROXY protocol v1 and v2
// (haproxy.org, proxy-protocol.txt), and SRS's 0xF3 real-ip prefix: 0xF3, u16 big-endian length
// (at most 1024), and of that length first the 4 bytes of an IPv4 address, then what nobody reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mpb::rtmp {

/// The longest v2 header that is taken, type-length-value fields included.
inline constexpr std::size_t kMaxProxyV2 = 16 + 4096;

struct ProxyPrefix {
  enum class Kind : std::uint8_t { kNeedMore, kNone, kFound, kBad };
  Kind kind = Kind::kNone;
  std::size_t size = 0;   // bytes it takes up (kFound)
  std::string address{};  // "192.0.2.1:1234", "[2001:db8::1]:1234" or, for 0xF3, without a port;
                          // an IPv4-mapped address as IPv4; empty: LOCAL, UNKNOWN, not TCP over IP
};

/// PROXY v1 or v2 at the front of `bytes`; kNone when they begin otherwise.
ProxyPrefix read_proxy_protocol(std::string_view bytes);
/// SRS's prefix; kNone when the first byte is not 0xF3.
ProxyPrefix read_srs_real_ip(std::string_view bytes);

// The writers, for those who forward. Addresses as above. What is no IP address is UNKNOWN to v1,
// and of no family to v2. With one IPv4 and one IPv6 address both are written as IPv6.
std::string make_proxy_v1(std::string_view client, std::string_view server);
std::string make_proxy_v2(std::string_view client, std::string_view server);
/// Empty for what is no IPv4 address: SRS's prefix has no form for others.
std::string make_srs_real_ip(std::string_view client);

}  // namespace mpb::rtmp
