// Counters as the state has them, so that none falls when a broker follows another. Pure: no I/O.
#pragma once

#include <algorithm>
#include <vector>

#include "broker/succession/state.hpp"
#include "broker/workers/counter_totals.hpp"
#include "broker/workers/reported_counters.hpp"
#include "common/base/counters.hpp"

namespace mpb {

/// What brokers before this one have counted.
struct CountsBefore {
  BrokerCounters broker;
  DispatchCounters dispatch;
  TalkCounters talk;
  CellCounters cells;
};

/// What both have counted; all else is as it is now.
template <class Block>
Block with_before(Block now, const Block& before) {
  for (const auto& counter : Block::counters()) {
    if (!counter.counts()) continue;
    now.*counter.value = std::min(now.*counter.value + before.*counter.value, kMostCounted);
  }
  return now;
}

std::vector<CountState> state_of(const CountsBefore& counts);
std::vector<CountState> state_of(const CounterTotals& ended);
std::vector<CountState> state_of(Slot slot, std::uint64_t taken, const ReportedCounters& counters);

CountsBefore counts_before(const std::vector<CountState>& states);
CounterTotals ended_totals(const std::vector<CountState>& states);
/// Of the worker in this slot; `taken`: clients that it has acknowledged.
ReportedCounters reported_counters(const std::vector<CountState>& states, Slot slot,
                                   std::uint64_t& taken);

}  // namespace mpb
