#include "broker/dispatch/acceptor_set.hpp"

#include <algorithm>

namespace mpb {

void AcceptorSet::set_rules(const AcceptorRules& rules, const WorkerTable& workers) {
  rules_ = rules;
  choose(workers, Choice::kThorough);
}

void AcceptorSet::begin(Slot slot, const WorkerTable& workers) {
  chosen_.resize(workers.size());
  if (workers.is_cell(slot)) {
    chosen_[slot] = false;
    return;
  }
  Slot before = 0;
  for (Slot other = 0; other < workers.shared_end(); ++other) {
    const bool serves = !workers.is_cell(other) && (workers.online(other) || workers.coming(other));
    if (serves && (other < slot || chosen_[other]) && other != slot) ++before;
  }
  chosen_[slot] = before < rules_.count;
}

/// One that is in the set may hold a little more, so that it does not come and go.
bool AcceptorSet::able(Slot slot, const WorkerTable& workers) const {
  const std::uint64_t most = chosen_[slot] ? rules_.most_held : rules_.most_held / 7 * 6;
  return !workers.at(slot).late && workers.at(slot).held <= most;
}

std::vector<Slot> AcceptorSet::choose(const WorkerTable& workers, Choice choice) {
  if (rules_.fixed) return {};
  chosen_.resize(workers.size());
  std::vector<Slot> online;
  for (Slot slot = 0; slot < workers.shared_end(); ++slot) {
    if (workers.online(slot) && !workers.is_cell(slot)) online.push_back(slot);
  }
  const auto rank = [&](Slot slot) {
    if (!able(slot, workers)) return 2;
    return chosen_[slot] || choice == Choice::kThorough ? 0 : 1;
  };
  std::ranges::stable_sort(online, {}, rank);
  std::vector<Slot> changed;
  for (std::size_t i = 0; i < online.size(); ++i) {
    // One that is not online yet has what begin() gave it.
    if (const Slot slot = online[i]; chosen_[slot] != (i < rules_.count)) changed.push_back(slot);
  }
  for (const Slot slot : changed) chosen_[slot] = !chosen_[slot];
  std::ranges::sort(changed);
  return changed;
}

bool AcceptorSet::nobody_accepts(const WorkerTable& workers) const {
  if (rules_.fixed) return false;
  bool any = false;
  for (Slot slot = 0; slot < workers.shared_end(); ++slot) {
    if (workers.is_cell(slot)) continue;
    const bool online = workers.online(slot);
    if (!online && workers.at(slot).state != WorkerState::kStarting) continue;
    if (has(slot)) return false;
    any = any || online;
  }
  return any;
}

}  // namespace mpb
