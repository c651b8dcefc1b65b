#include "common/tables/network_set.hpp"

#include <algorithm>

namespace mpb {
namespace {

/// The bits of `address` that count, and zeros.
IpBytes masked(const IpBytes& address, std::uint8_t bits) {
  IpBytes result{};
  const std::size_t whole = bits / 8;
  std::copy_n(address.begin(), whole, result.begin());
  if (bits % 8 != 0) {
    result[whole] = static_cast<std::uint8_t>(address[whole] & (0xff00U >> (bits % 8)));
  }
  return result;
}

}  // namespace

void NetworkSet::add(const Network& network) {
  by_bits_[network.bits].insert(masked(network.address, network.bits));
}

void NetworkSet::remove(const Network& network) {
  const auto found = by_bits_.find(network.bits);
  if (found == by_bits_.end()) return;
  found->second.erase(masked(network.address, network.bits));
  if (found->second.empty()) by_bits_.erase(found);
}

bool NetworkSet::contains(const IpBytes& address) const {
  const bool v4 = is_ipv4(address);
  return std::ranges::any_of(by_bits_, [&](const auto& of_bits) {
    const auto& [bits, networks] = of_bits;
    return may_have(bits, v4) && networks.contains(masked(address, bits));
  });
}

}  // namespace mpb
