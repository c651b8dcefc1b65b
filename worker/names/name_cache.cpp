#include "worker/names/name_cache.hpp"

#include <algorithm>
#include <utility>

namespace mpb {

/// Those nobody has asked for lately go.
bool NameCache::make_room() {
  if (entries_.size() < kMaxNames) return true;
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->second.under_way) continue;
    if (oldest == entries_.end() || at->second.asked < oldest->second.asked) oldest = at;
  }
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

NameCache::Known NameCache::ask(const std::string& name, TimePoint now) {
  using What = Known::What;
  auto at = entries_.find(name);
  if (at == entries_.end()) {
    if (!make_room()) {
      return {What::kNone, nullptr, "too many names are being looked up", true, false};
    }
    at = entries_.try_emplace(name).first;
  }
  Entry& entry = at->second;
  entry.asked = now;
  Duration holds = entry.why.empty() ? kHolds : kFailureHolds;
  if (entry.doubted || entry.ours) holds = std::min(holds, kDoubtedHolds);
  const bool holds_still = entry.ever && now - entry.looked_up < holds;
  const bool look_up = !entry.under_way && !holds_still;
  if (look_up) entry.under_way = true;
  // While they are looked up again they still serve, unless they did not.
  const bool serve = !entry.addresses.empty() && !(entry.doubted && entry.under_way);
  if (serve) return {What::kAddresses, &entry.addresses, {}, false, look_up};
  if (entry.under_way) return {What::kNotYet, nullptr, {}, false, look_up};
  return {What::kNone, nullptr, entry.why, entry.ours, false};
}

NameCache::News NameCache::found(const std::string& name, Addresses addresses, TimePoint now) {
  Entry& entry = entries_[name];
  entry.addresses = std::move(addresses);
  entry.looked_up = entry.found = now;
  entry.ever = true;
  entry.under_way = entry.doubted = entry.ours = false;
  return std::exchange(entry.why, {}).empty() ? News::kNothing : News::kIsBack;
}

NameCache::News NameCache::failed(const std::string& name, std::string why, Cause cause,
                                  TimePoint now) {
  Entry& entry = entries_[name];
  const bool stale = cause != Cause::kOurs && now - entry.found > kMaxStale;
  if (cause == Cause::kFinal || stale) entry.addresses.clear();
  entry.ours = cause == Cause::kOurs;
  entry.looked_up = now;
  entry.ever = true;
  entry.under_way = entry.doubted = false;
  return std::exchange(entry.why, std::move(why)).empty() ? News::kFails : News::kNothing;
}

void NameCache::doubt(const std::string& name) {
  const auto known = entries_.find(name);
  if (known != entries_.end()) known->second.doubted = true;
}

}  // namespace mpb
