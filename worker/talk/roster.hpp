// Which workers are online, by the events that the broker tells. Pure: no I/O, no clock.
#pragma once

#include <algorithm>
#include <set>
#include <vector>

#include "mpbroker/bus.hpp"

namespace mpb {

class Roster {
 public:
  void take(const WorkerEvent& event) {
    using Kind = WorkerEvent::Kind;
    if (event.kind == Kind::kOnline) online_.insert(event.worker);
    if (event.kind == Kind::kDisconnect || event.kind == Kind::kExit) online_.erase(event.worker);
    if (event.kind == Kind::kCurrent) current_ = true;
  }
  /// All is to be told anew.
  void forget() { *this = Roster(); }

  /// All that are online were told.
  [[nodiscard]] bool current() const { return current_; }
  [[nodiscard]] const std::set<WorkerId>& online() const { return online_; }

  /// In the order of a ring: those behind `self` by slot, those before it, `self`.
  [[nodiscard]] std::vector<WorkerId> ring_of(WorkerId self) const {
    std::vector<WorkerId> ring(online_.begin(), online_.end());
    std::ranges::rotate(ring, std::ranges::upper_bound(ring, self));
    return ring;
  }

 private:
  std::set<WorkerId> online_;
  bool current_ = false;
};

}  // namespace mpb
