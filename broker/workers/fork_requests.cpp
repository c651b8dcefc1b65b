#include "broker/workers/fork_requests.hpp"

namespace mpb {

std::uint64_t ForkRequests::add(TimePoint now, ForkDone done) {
  open_.try_emplace(++last_, now + kLimit, std::move(done));
  return last_;
}

ForkDone ForkRequests::take(std::uint64_t number) {
  if (open_.empty() || open_.begin()->first != number) return nullptr;
  ForkDone done = std::move(open_.begin()->second.done);
  open_.erase(open_.begin());
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
  return open_.begin()->second.due;
}

}  // namespace mpb
