#include "common/config/network.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "common/config/vhost_values.hpp"
#include "common/io/endpoint.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::size_t kAddressBits = 128;
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<std::uint8_t, 12> kTranslated{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr std::size_t kNetworkPart = 8;  // bytes of a /64

bool begins_with(const IpBytes& address, const std::array<std::uint8_t, 12>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

std::optional<IpBytes> address_in(const sockaddr_storage& storage) {
  IpBytes address{};
  if (storage.ss_family == AF_INET) {
    std::copy(kMapped.begin(), kMapped.end(), address.begin());
    std::memcpy(&address[kMapped.size()], &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr,
                sizeof(in_addr));
    return address;
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr,
              sizeof(in6_addr));
  return address;
}

}  // namespace

std::optional<IpBytes> peer_address(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return std::nullopt;
  }
  return address_in(storage);
}

std::optional<IpBytes> address_in(std::string_view text) {
  if (const auto network = read_network(text); network && network->bits == kAddressBits) {
    return network->address;
  }
  const auto endpoint = parse_endpoint(text);
  return endpoint ? address_in(endpoint->address) : std::nullopt;
}

bool is_ipv4(const IpBytes& address) {
  return begins_with(address, kMapped);
}

bool contains(const Network& network, const std::optional<IpBytes>& address) {
  if (network.bits == 0) return true;
  if (network == kUnixPeers) return !address;
  if (!address || !may_have(network.bits, is_ipv4(*address))) return false;
  const std::size_t bits = std::min<std::size_t>(network.bits, kAddressBits);
  for (std::size_t i = 0; 8 * i < bits; ++i) {
    const unsigned differs = (*address)[i] ^ network.address[i];
    const std::size_t ignored = 8 * (i + 1) > bits ? 8 * (i + 1) - bits : 0;
    if (differs >> ignored != 0) return false;
  }
  return true;
}

bool contains(std::span<const Network> networks, const std::optional<IpBytes>& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return contains(network, address); });
}

IpBytes source_of(const IpBytes& address) {
  IpBytes source = address;
  if (begins_with(address, kTranslated)) {
    std::copy(kMapped.begin(), kMapped.end(), source.begin());
  } else if (!is_ipv4(address)) {
    std::fill(source.begin() + kNetworkPart, source.end(), std::uint8_t{0});
  }
  return source;
}

std::string pack(std::span<const Network> networks) {
  std::string entries;
  entries.reserve(networks.size() * channel::kNetworkEntry);
  for (const Network& network : networks) {
    entries.append(network.address.begin(), network.address.end());
    entries += static_cast<char>(network.bits);
  }
  return entries;
}

std::vector<Network> unpack_networks(std::string_view entries) {
  std::vector<Network> networks;
  for (std::size_t at = 0; at + channel::kNetworkEntry <= entries.size();
       at += channel::kNetworkEntry) {
    Network network;
    std::memcpy(network.address.data(), entries.data() + at, network.address.size());
    network.bits = static_cast<std::uint8_t>(entries[at + network.address.size()]);
    if (network.bits <= kAddressBits || network == kUnixPeers) networks.push_back(network);
  }
  return networks;
}

}  // namespace mpb
