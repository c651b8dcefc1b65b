#include "worker/link/notice_limit.hpp"

#include <algorithm>

namespace mpb {
namespace {

constexpr std::size_t kMaxSections = 1024;
constexpr RateLimit kRefusals{10, Duration{1'000}};     // of a vhost, for one reason
constexpr RateLimit kPublications{100, Duration{100}};  // of a vhost; as many ends
constexpr RateLimit kAll{200, Duration{10}};            // of this worker
constexpr Duration kLookInterval{1'000};

}  // namespace

std::optional<std::uint32_t> NoticeLimit::admit(const Notice& notice, std::string_view section,
                                                TimePoint now) {
  const bool refused = notice.kind == Notice::Kind::kRefused;
  const std::size_t index = refused ? static_cast<std::size_t>(notice.reason)
                            : notice.kind == Notice::Kind::kPublish ? kReasons
                                                                    : kReasons + 1;
  RateBucket& bucket = buckets(notice, section, now)[index];
  const RateLimit& limit = refused ? kRefusals : kPublications;
  if (!bucket.ready(now, limit) || !all_.ready(now, kAll)) {
    bucket.hold_back();
    return std::nullopt;
  }
  all_.take(now, kAll);
  return bucket.take(now, limit);
}

NoticeLimit::Buckets& NoticeLimit::buckets(const Notice& notice, std::string_view section,
                                           TimePoint now) {
  const auto shared = [&]() -> Buckets& { return shared_[KeyedHash{}(notice.vhost) % kShared]; };
  if (section.empty()) return shared();
  const auto known = by_section_.find(section);
  if (known != by_section_.end()) return known->second;
  if (by_section_.size() == kMaxSections) forget_resting(now);
  if (by_section_.size() == kMaxSections) return shared();
  return by_section_[std::string(section)];
}

void NoticeLimit::forget_resting(TimePoint now) {
  if (now < next_look_) return;
  next_look_ = now + kLookInterval;
  std::erase_if(by_section_, [now](const auto& entry) {
    return std::ranges::all_of(entry.second,
                               [now](const RateBucket& bucket) { return bucket.at_rest(now); });
  });
}

}  // namespace mpb
