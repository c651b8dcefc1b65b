#include "broker/workers/counter_totals.hpp"

#include <algorithm>
#include <cstddef>

namespace mpb {

void CounterTotals::add(Slot slot, std::uint64_t taken, const ReportedCounters& counters) {
  Worker& worker = workers[slot];
  worker.slot.taken += taken;
  mpb::add(worker.own, counters.own);
  for (const auto& [number, listener] : counters.ever) {
    mpb::add(worker.listeners, listener);
    mpb::add(listeners[number], listener);
  }
  for (std::size_t reason = 0; reason < refused.size(); ++reason) {
    refused[reason] = std::min(refused[reason] + counters.refused[reason], kMostCounted);
  }
}

}  // namespace mpb
