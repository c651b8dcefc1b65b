// What workers have counted since the broker's start, those that have ended included. Pure: no I/O,
// no clock.
#pragma once

#include <cstdint>
#include <map>

#include "broker/dispatch/worker_table.hpp"
#include "broker/workers/reported_counters.hpp"
#include "common/base/counters.hpp"

namespace mpb {

struct CounterTotals {
  struct Worker {
    SlotCounters slot;
    WorkerCounters own;
    ListenerCounters listeners;  // all of them
  };

  std::map<Slot, Worker> workers;  // that had a process
  std::map<std::uint64_t, ListenerCounters> listeners;
  ReasonCounts refused{};

  /// One process of a slot. `taken`: clients sent to it that it has acknowledged.
  void add(Slot slot, std::uint64_t taken, const ReportedCounters& counters);
};

}  // namespace mpb
