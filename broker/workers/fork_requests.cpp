#include "broker/workers/fork_requests.hpp"

#include <algorithm>

namespace mpb {

std::uint64_t ForkRequests::add(TimePoint now, ForkDone done) {
  open_.try_emplace(++last_, now, std::move(done));
  return last_;
}

ForkDone ForkRequests::take(std::uint64_t number, TimePoint now) {
  if (open_.empty() || open_.begin()->first != number) return nullptr;
  ForkDone done = std::move(open_.begin()->second.done);
  open_.erase(open_.begin());
  answered_ = now;
  return done;
}

std::vector<ForkDone> ForkRequests::take_all() {
  std::vector<ForkDone> all;
  for (auto& [number, request] : open_) all.push_back(std::move(request.done));
  open_.clear();
  return all;
}

std::optional<TimePoint> ForkRequests::due() const {
  if (open_.empty()) return std::nullopt;
  return std::max(open_.begin()->second.asked, answered_) + kLimit;
}

}  // namespace mpb
