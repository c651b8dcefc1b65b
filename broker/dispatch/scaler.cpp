#include "broker/dispatch/scaler.hpp"

#include <algorithm>

namespace mpb {

/// Of all kinds, cells included: those that serve or will serve, are on their way out, or down.
std::size_t Scaler::alive(const WorkerTable& workers) const {
  return workers.running();
}

std::size_t Scaler::wanted(const WorkerTable& workers, std::size_t waiting) const {
  const std::size_t most = rules_.maximum;
  const std::size_t running = alive(workers);
  const std::uint64_t limit = workers.soft_limit();
  if (limit == 0 || running >= most) return 0;
  std::uint64_t load = waiting;
  std::uint64_t capacity = 0;
  for (Slot slot = 0; slot < workers.shared_end(); ++slot) {
    const WorkerState state = workers.at(slot).state;
    if (workers.at(slot).cell) continue;
    if (workers.at(slot).full) continue;  // below its limit or not, it takes no more
    // What one says beyond its limit is no reason for more than one of its like.
    if (state == WorkerState::kOnline) load += std::min<std::uint64_t>(workers.load(slot), limit);
    if (state == WorkerState::kOnline || state == WorkerState::kStarting) capacity += limit;
  }
  // As many as bring the load below the mark again.
  const std::uint64_t mark = std::max<std::uint64_t>(1, limit * rules_.grow_at / 100);
  const std::uint64_t capacity_at_mark = capacity / limit * mark;
  if (load == 0) return 0;
  const bool crossed = rules_.grow_at < 100 ? load >= capacity_at_mark : load > capacity_at_mark;
  if (!crossed) return 0;
  const std::uint64_t missing = load - capacity_at_mark;
  const std::uint64_t workers_missing = std::max<std::uint64_t>(1, (missing + mark - 1) / mark);
  return std::min<std::size_t>(workers_missing, most - running);
}

bool Scaler::room_may_come(const WorkerTable& workers) const {
  for (Slot slot = 0; slot < workers.shared_end(); ++slot) {
    if (workers.coming(slot) && !workers.at(slot).cell) return true;
  }
  return workers.soft_limit() != 0 && alive(workers) < rules_.maximum;
}

std::optional<Slot> Scaler::free_slot(const WorkerTable& workers) const {
  for (Slot slot = rules_.base; slot < workers.size(); ++slot) {
    if (workers.at(slot).state == WorkerState::kStopped) return slot;
  }
  return std::nullopt;
}

std::vector<Slot> Scaler::to_retire(const WorkerTable& workers, TimePoint now) {
  empty_since_.resize(workers.size());
  std::vector<Slot> retired;
  for (Slot slot = rules_.base; slot < workers.size(); ++slot) {
    const WorkerEntry& worker = workers.at(slot);
    const bool empty = !worker.cell && worker.state == WorkerState::kOnline && worker.held == 0 &&
                       workers.load(slot) == 0;
    if (!empty) {
      empty_since_[slot].reset();
    } else if (!empty_since_[slot]) {
      empty_since_[slot] = now;
    } else if (now - *empty_since_[slot] >= rules_.linger) {
      retired.push_back(slot);
      empty_since_[slot].reset();
    }
  }
  return retired;
}

}  // namespace mpb
