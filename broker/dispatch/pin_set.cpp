#include "broker/dispatch/pin_set.hpp"

#include <algorithm>

namespace mpb {
namespace {

constexpr std::string_view kEveryKey = "*";

}  // namespace

const std::vector<Slot>& PinSet::slots_of(const Place& place) const {
  static const std::vector<Slot> kNone;
  const auto set = operators_.find(place);
  if (set != operators_.end()) return set->second;
  const auto found = configured_.find(place);
  return found == configured_.end() ? kNone : found->second;
}

PinSet::Changes PinSet::configure(Pins pins) {
  std::swap(configured_, pins);  // `pins` are those of before
  Changes changes;
  const auto note = [&](const Place& place, const std::vector<Slot>& slots) {
    if (!operators_.contains(place)) changes.emplace_back(place, slots);
  };
  for (const auto& [place, slots] : pins) {
    if (!configured_.contains(place)) note(place, {});
  }
  for (const auto& [place, slots] : configured_) {
    const auto before = pins.find(place);
    if (before == pins.end() || before->second != slots) note(place, slots);
  }
  // Router::pin: every other key of the space, so the others must be known by then.
  const auto names_a_key = [](const auto& change) { return change.first.second != kEveryKey; };
  std::stable_partition(changes.begin(), changes.end(), names_a_key);
  return changes;
}

PinSet::Changes PinSet::set(const Place& place, std::vector<Slot> slots) {
  const std::vector<Slot> before = slots_of(place);
  if (slots.empty() && !configured_.contains(place)) {
    operators_.erase(place);
  } else {
    operators_[place] = slots;
  }
  if (before == slots) return {};
  return {{place, std::move(slots)}};
}

}  // namespace mpb
