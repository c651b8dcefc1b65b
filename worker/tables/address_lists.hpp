// Which addresses are served, by the shared tables "deny" and "allow": a denied one is refused;
// else, if anybody is allowed, those that are allowed alone are served. Who has no address, as
// clients of unix sockets, is served.
#pragma once

#include <optional>

#include "common/tables/network_set.hpp"
#include "mpbroker/shared.hpp"

namespace mpb {

class AddressLists {
 public:
  /// Follows both tables.
  void follow(SharedTables& tables);

  /// Everybody is served: nothing needs to be asked.
  [[nodiscard]] bool empty() const { return deny_.empty() && allow_.empty(); }
  [[nodiscard]] bool denies(const std::optional<IpBytes>& address) const {
    return address && deny_.contains(*address);
  }
  [[nodiscard]] bool refuses(const std::optional<IpBytes>& address) const {
    return denies(address) || (address && !allow_.empty() && !allow_.contains(*address));
  }

 private:
  static TableWatch follow(SharedMap& table, NetworkSet& networks);

  NetworkSet deny_;
  NetworkSet allow_;
  TableWatch deny_watch_;
  TableWatch allow_watch_;
};

}  // namespace mpb
