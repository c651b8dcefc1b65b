// Addresses of peers: which networks have them, and which of them count as one source.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/vhost_settings.hpp"

namespace mpb {

/// An IPv6 address in network order; IPv4 mapped into IPv6.
using IpBytes = std::array<std::uint8_t, 16>;

inline constexpr std::uint8_t kIpv4Bits = 96;  // before an IPv4 address's own

/// "unix:" among networks: all peers of unix sockets, which have no address.
inline constexpr Network kUnixPeers{{}, 0xff};

/// The peer's address; nothing: a unix socket, or not connected.
std::optional<IpBytes> peer_address(int socket);

/// Of "192.0.2.1", "192.0.2.1:1234" or "[2001:db8::1]:1234"; nothing: it is none of them.
std::optional<IpBytes> address_in(std::string_view text);

bool is_ipv4(const IpBytes& address);
/// An IPv4 address is in networks of IPv4 and in "all" (::/0) alone, though it is written as one of
/// IPv6: ::/8 has none. `bits`: of the network; `v4`: of the address.
constexpr bool may_have(std::uint8_t bits, bool v4) {
  return !v4 || bits == 0 || bits >= kIpv4Bits;
}

/// Without an address, as peers of unix sockets are, only "all" and "unix:" have it.
bool contains(const Network& network, const std::optional<IpBytes>& address);
bool contains(std::span<const Network> networks, const std::optional<IpBytes>& address);

/// What counts as one source where clients are counted: an IPv4 address, also one mapped or
/// translated into IPv6 (64:ff9b::/96); of IPv6 the /64, since whoever has one address there may
/// use all of them.
IpBytes source_of(const IpBytes& address);

/// Networks as they lie in a Listen (docs/channel-protocol.md), and back; entries that mean nothing
/// are left out.
std::string pack(std::span<const Network> networks);
std::vector<Network> unpack_networks(std::string_view entries);

}  // namespace mpb
