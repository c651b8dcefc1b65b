// A set of networks that is asked for addresses: what a look-up costs depends on how many different
// lengths its networks have, not on how many there are.
#pragma once

#include <cstdint>
#include <map>

#include "common/base/keyed_map.hpp"
#include "common/config/network.hpp"

namespace mpb {

class NetworkSet {
 public:
  void add(const Network& network);
  void remove(const Network& network);
  void clear() { by_bits_.clear(); }
  [[nodiscard]] bool contains(const IpBytes& address) const;
  [[nodiscard]] bool empty() const { return by_bits_.empty(); }

 private:
  std::map<std::uint8_t, KeyedSet<IpBytes>> by_bits_;  // by how many bits count
};

}  // namespace mpb
