#include "worker/tables/address_lists.hpp"

#include "common/tables/table_rules.hpp"

namespace mpb {

void AddressLists::follow(SharedTables& tables) {
  deny_watch_ = follow(tables.map(kDenyTable), deny_);
  allow_watch_ = follow(tables.map(kAllowTable), allow_);
}

TableWatch AddressLists::follow(SharedMap& table, NetworkSet& networks) {
  return table.watch("", [&networks](const TableEvent& event) {
    const auto network = network_of(event.key);
    if (!network) return;
    if (event.now) {
      networks.add(*network);
    } else {
      networks.remove(*network);
    }
  });
}

}  // namespace mpb
