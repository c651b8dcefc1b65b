// CellSet: cells that make way: spare ones for keys whose cells are apart, old ones for younger.
#include <string>
#include <vector>

#include "broker/dispatch/cell_set.hpp"

namespace mpb {

CellPlace CellSet::place_apart(const std::string& name, bool again, TimePoint now) {
  if (again && promised_ > 0) --promised_;
  auto slot = hopeless(now) ? std::nullopt : occupy(CellRole::kKey);
  if (slot) {
    queue_for(*slot, name, now);
  } else if (!hopeless(now)) {
    slot = evict(name);
  }
  if (slot) return {CellPlace::Kind::kComing, *slot};
  CellPlace place = wait_or_none(now);
  place.apart = true;
  return place;
}

std::optional<Slot> CellSet::evict(const std::string& heir) {
  if (unpromised() == 0) return std::nullopt;
  const Slot slot = ready_.front();
  remove_spare(slot);
  cells_[slot].ended = true;
  cells_[slot].heir = heir;
  keys_[heir] = slot;
  workers_.set_unreachable(slot);
  evicted_now_.push_back(slot);
  return slot;
}

void CellSet::inherit(Slot slot, const std::string& heir, TimePoint now) {
  keys_.erase(heir);
  const bool fits = rules_.wanted && slot >= rules_.base && slot < rules_.maximum;
  if (!fits || free_slots() == 0 || hopeless(now)) return;
  workers_.set_cell(slot, true);
  workers_.set_state(slot, WorkerState::kStarting);
  queue_for(slot, heir, now);
}

bool CellSet::is_old(const Cell& cell, TimePoint now) const {
  if (rules_.rollover.empty()) return false;
  const auto rollover = rules_.rollover.find(parse_key_name(cell.name).space);
  return rollover != rules_.rollover.end() && now - cell.online >= rollover->second;
}

std::vector<Slot> CellSet::end_old() {
  std::vector<Slot> renewed;
  for (const Slot slot : std::vector<Slot>(old_)) {
    const WorkerEntry& worker = workers_.at(slot);
    if (cells_[slot].ended || worker.held != 0 || worker.clients != 0 || worker.in_flight != 0) {
      continue;
    }
    end(slot, true);
    ++counters_.renewed;
    renewed.push_back(slot);
  }
  for (const Slot slot : renewed) std::erase(old_, slot);
  return renewed;
}

}  // namespace mpb
