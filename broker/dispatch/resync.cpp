#include "broker/dispatch/resync.hpp"

#include <utility>

namespace mpb {

std::string_view Resync::report(Slot slot, const channel::ResyncReport& part) {
  const auto missing = missing_.find(slot);
  if (missing == missing_.end()) return "a ResyncReport that nobody asked for";
  auto delivery = part.deliveries.begin();
  for (const channel::AdoptionEntry entry : part.adopted) {
    if (*delivery++ != seal_.delivery(entry.origin, entry.handoff, missing->second)) {
      return "a ResyncReport of a client that it was not sent";
    }
    adopted_.insert({entry.origin, entry.handoff});
  }
  std::vector<std::uint64_t>& unsettled = unsettled_[slot];
  unsettled.insert(unsettled.end(), part.unsettled.begin(), part.unsettled.end());
  if (unsettled.size() > window_) return "more unsettled handoffs than its window";
  if ((part.flags & channel::ResyncReport::kLast) != 0) missing_.erase(missing);
  return {};
}

void Resync::gone(Slot slot) {
  if (missing_.erase(slot) != 0) uncertain_ = true;
  unsettled_.erase(slot);
}

std::map<Slot, Resync::Verdicts> Resync::take() {
  std::map<Slot, Verdicts> verdicts;
  for (const auto& [origin, handoffs] : std::exchange(unsettled_, {})) {
    Verdicts& told = verdicts[origin];
    for (const std::uint64_t handoff : handoffs) {
      if (adopted_.contains({origin, handoff})) {
        told.settled.push_back(handoff);
      } else {
        told.nacks.push_back(
            {handoff, uncertain_ ? channel::NackReason::kUncertain : channel::NackReason::kRetry});
      }
    }
  }
  return verdicts;
}

}  // namespace mpb
