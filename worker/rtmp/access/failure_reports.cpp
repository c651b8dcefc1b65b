#include "worker/rtmp/access/failure_reports.hpp"

#include <utility>

namespace mpb::rtmp {
namespace {

constexpr std::string_view kOthers = "(others)";

}  // namespace

std::optional<FailureReports::Line> FailureReports::note(std::string_view url, HookFailure failure,
                                                         TimePoint now) {
  auto found = urls_.find(url);
  if (found == urls_.end()) {
    if (urls_.size() >= max_urls_) url = kOthers;
    const auto [place, added] = urls_.try_emplace(std::string(url), Url{now, 0, {}});
    if (added) return Line{place->first, std::move(failure), 0};
    found = place;
  }
  Url& known = found->second;
  if (now - known.told_at >= interval_) {
    known.told_at = now;
    return Line{found->first, std::move(failure), std::exchange(known.untold, 0)};
  }
  ++known.untold;
  known.latest = std::move(failure);
  return std::nullopt;
}

std::vector<FailureReports::Line> FailureReports::due(TimePoint now) {
  std::vector<Line> lines;
  for (auto at = urls_.begin(); at != urls_.end();) {
    Url& known = at->second;
    if (now - known.told_at < interval_) {
      ++at;
    } else if (known.untold == 0) {
      at = urls_.erase(at);
    } else {
      known.told_at = now;
      lines.push_back(
          {at->first, std::exchange(known.latest, {}), std::exchange(known.untold, 0) - 1});
      ++at;
    }
  }
  return lines;
}

}  // namespace mpb::rtmp
