#include "broker/dispatch/worker_table.hpp"

#include <algorithm>
#include <utility>

namespace mpb {

namespace {

constexpr std::uint32_t kPatience = 8;      // refusals in a row; fewer than a client's attempts
constexpr std::uint32_t kLongestHold = 32;  // looks
constexpr double kUnseenClients = 20;       // that may have come and gone without a doubt
constexpr double kUnseenShare = 16;         // or one of so many

}  // namespace

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
  WorkerEntry& worker = workers_[slot];
  worker.clients = std::min(clients, most_clients_);
  worker.held = std::min(held, most_clients_);
  if (worker.held_back == 0) worker.full = false;
}

void WorkerTable::mark_full(Slot slot) {
  WorkerEntry& worker = workers_[slot];
  if (std::exchange(worker.full, true)) return;  // on their way when it refused the first
  if (++worker.refusals < kPatience) return;
  const std::uint32_t doublings = std::min<std::uint32_t>(worker.refusals - kPatience, 5);
  worker.held_back = std::min(1U << doublings, kLongestHold);
}

void WorkerTable::clear_full(Slot slot) {
  WorkerEntry& worker = workers_[slot];
  if (worker.held_back > 0) --worker.held_back;
  if (worker.held_back == 0) worker.full = false;
}

void WorkerTable::note_taken(Slot slot) {
  WorkerEntry& worker = workers_[slot];
  ++worker.taken;
  ++worker.lately;
  worker.refusals = 0;
  worker.held_back = 0;
}

Fleet WorkerTable::fleet() const {
  Fleet fleet;
  for (Slot slot = 0; slot < workers_.size(); ++slot) {
    if (!online(slot)) continue;
    fleet.clients += workers_[slot].clients;
    fleet.lately += workers_[slot].lately;
  }
  return fleet;
}

std::uint64_t WorkerTable::likely_load(Slot slot, const Fleet& fleet) const {
  const WorkerEntry& worker = workers_[slot];
  const std::uint64_t reported = load(slot);
  const double come_and_gone = std::max(kUnseenClients, worker.lately / kUnseenShare);
  if (!online(slot) || worker.lately <= worker.clients + come_and_gone) return reported;
  // Where nothing is known of the others, clients are taken to stay.
  const double others_lately = std::max(0.0, fleet.lately - worker.lately);
  const double stayed =
      std::min(others_lately, static_cast<double>(fleet.clients - worker.clients));
  const double likely = worker.lately * (stayed + 1) / (others_lately + 1) - come_and_gone;
  if (likely <= 0) return reported;
  return std::max(reported, static_cast<std::uint64_t>(likely) + worker.in_flight);
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
