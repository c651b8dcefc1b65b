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

void WorkerTable::count(Slot slot, bool in) {
  const WorkerEntry& worker = workers_[slot];
  std::size_t& sum = counts_[worker.cell ? 1 : 0][index(worker.state)];
  sum = in ? sum + 1 : sum - 1;
  const auto is_shared = [this](Slot one) {
    return !workers_[one].cell && workers_[one].state != WorkerState::kStopped;
  };
  if (in && is_shared(slot)) shared_end_ = std::max(shared_end_, static_cast<Slot>(slot + 1U));
  while (in && shared_end_ > 0 && !is_shared(static_cast<Slot>(shared_end_ - 1U))) --shared_end_;
}

void WorkerTable::set_state(Slot slot, WorkerState state) {
  count(slot, false);
  workers_[slot].state = state;
  count(slot, true);
  ++changes_;
}

void WorkerTable::set_cell(Slot slot, bool cell) {
  count(slot, false);
  workers_[slot].cell = cell;
  count(slot, true);
  ++changes_;
}

void WorkerTable::begin_incarnation(Slot slot) {
  count(slot, false);
  WorkerEntry fresh;
  fresh.state = WorkerState::kStarting;
  fresh.failing = workers_[slot].failing;
  fresh.incarnation = workers_[slot].incarnation + 1;
  fresh.cell = workers_[slot].cell;
  workers_[slot] = fresh;
  count(slot, true);
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
  for (Slot slot = 0; slot < shared_end_; ++slot) {
    if (!online(slot) || workers_[slot].cell) continue;
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
  for (Slot slot = 0; slot < shared_end_; ++slot) {
    if (!workers_[slot].cell) total += room(slot);
  }
  return std::min<std::uint64_t>(total, UINT32_MAX);
}

}  // namespace mpb
