// Names of hosts, which stand where an address may stand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mpb {

/// Labels of letters, digits, '-' and '_' with dots between them (RFC 1123, and '_' as it is in
/// use), at most 253 bytes. What could be meant for an IPv4 address is none.
bool is_host_name(std::string_view text);

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};
/// "origin.example.com:1935". Nothing: it is no name, or no port from 1 on follows.
std::optional<HostAndPort> parse_host_and_port(std::string_view text);

}  // namespace mpb
