#include "broker/worker_table.hpp"

#include <algorithm>

namespace mpb {

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::kStopped:
      return "stopped";
    case WorkerState::kStarting:
      return "starting";
    case WorkerState::kOnline:
      return "online";
    case WorkerState::kDraining:
      return "draining";
    case WorkerState::kBackoff:
      return "backoff";
    case WorkerState::kParked:
      return "parked";
  }
  return "?";
}

void WorkerTable::begin_incarnation(Slot slot) {
  WorkerEntry fresh;
  fresh.state = WorkerState::kStarting;
  fresh.failing = workers_[slot].failing;
  fresh.incarnation = workers_[slot].incarnation + 1;
  workers_[slot] = fresh;
  ++changes_;
}

void WorkerTable::report(Slot slot, std::uint32_t clients, std::uint32_t held) {
  workers_[slot].clients = clients;
  workers_[slot].held = held;
  workers_[slot].full = false;
}

std::uint64_t WorkerTable::free_room() const {
  std::uint64_t total = 0;
  for (Slot slot = 0; slot < workers_.size(); ++slot) total += room(slot);
  return std::min<std::uint64_t>(total, UINT32_MAX);
}

std::size_t WorkerTable::count(WorkerState state) const {
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(),
                    [state](const WorkerEntry& worker) { return worker.state == state; }));
}

}  // namespace mpb
