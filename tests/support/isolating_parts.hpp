// The pure parts of a broker whose listener isolates: base workers are online, cells are to come.
#pragma once

#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/router.hpp"
#include "broker/dispatch/scaler.hpp"

namespace mpb::test {

/// Workers and cells alone.
class CellParts {
 protected:
  static constexpr Slot kBase = 2;

  explicit CellParts(Slot most) {
    workers_.resize(most);
    for (Slot slot = 0; slot < kBase; ++slot) {
      workers_.begin_incarnation(slot);
      workers_.set_state(slot, WorkerState::kOnline);
    }
    cell_rules_.wanted = true;
    cell_rules_.base = kBase;
    cell_rules_.maximum = most;
    cells_.set_rules(cell_rules_);
  }

  WorkerTable workers_{0, 16};
  CellRules cell_rules_;
  CellSet cells_{workers_};
  TimePoint now_{std::chrono::hours(1)};
};

class IsolatingParts : protected CellParts {
 protected:
  explicit IsolatingParts(Slot most)
      : CellParts(most), scaler_({kBase, most, 100, Duration{1'000}}) {}

  Router router_{workers_, 1000, 42, &cells_};
  Scaler scaler_;
  Dispatcher dispatcher_{workers_, router_, scaler_, 1, &cells_};
  RoutingRules rules_;
};

}  // namespace mpb::test
