#include "broker/dispatch/acceptor_set.hpp"

#include <algorithm>

namespace mpb {

void AcceptorSet::set_rules(const AcceptorRules& rules, const WorkerTable& workers) {
  rules_ = rules;
  choose(workers);
}

void AcceptorSet::begin(Slot slot, const WorkerTable& workers) {
  chosen_.resize(workers.size());
  Slot before = 0;
  for (Slot other = 0; other < workers.size(); ++other) {
    const bool serves = workers.online(other) || workers.coming(other);
    if (serves && (other < slot || chosen_[other]) && other != slot) ++before;
  }
  chosen_[slot] = before < rules_.count;
}

std::vector<Slot> AcceptorSet::choose(const WorkerTable& workers) {
  std::vector<Slot> able;
  for (Slot slot = 0; slot < workers.size(); ++slot) {
    if (workers.online(slot)) able.push_back(slot);
  }
  std::ranges::stable_partition(
      able, [&](Slot slot) { return workers.at(slot).held <= rules_.most_held; });
  able.resize(std::min<std::size_t>(able.size(), rules_.count));
  std::vector<bool> chosen(workers.size());
  for (const Slot slot : able) chosen[slot] = true;
  chosen_.resize(workers.size());
  std::vector<Slot> changed;
  for (Slot slot = 0; slot < workers.size(); ++slot) {
    // One that is about to be online has what begin() gave it, until it is.
    if (!workers.online(slot)) continue;
    if (chosen[slot] != chosen_[slot] && !rules_.fixed) changed.push_back(slot);
    chosen_[slot] = chosen[slot];
  }
  return changed;
}

bool AcceptorSet::nobody_accepts(const WorkerTable& workers) const {
  bool any = false;
  for (Slot slot = 0; slot < workers.size(); ++slot) {
    const bool online = workers.online(slot);
    if (!online && workers.at(slot).state != WorkerState::kStarting) continue;
    if (has(slot)) return false;
    any = any || online;
  }
  return any;
}

}  // namespace mpb
