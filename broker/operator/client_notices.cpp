#include "broker/operator/client_notices.hpp"

#include "common/base/utf8.hpp"

namespace mpb {
namespace {

/// Above what a worker allows itself.
constexpr RateLimit kLimit{400, Duration{5}};

}  // namespace

void ClientNotices::tell(Slot slot, const Notice& notice, TimePoint now) {
  if (rates_.size() <= slot) rates_.resize(slot + 1U);
  RateBucket& rate = rates_[slot];
  if (!rate.ready(now, kLimit)) return rate.hold_back();
  const std::uint32_t dropped = rate.take(now, kLimit);
  std::vector<EventField> fields{{"slot", slot}};
  for_each_text(notice, [&fields](std::string_view name, std::string_view text) {
    fields.emplace_back(name, as_utf8(text));
  });
  if (notice.suppressed > 0) fields.emplace_back("suppressed", notice.suppressed);
  if (dropped > 0) fields.emplace_back("dropped", dropped);
  const bool refused = notice.kind == Notice::Kind::kRefused;
  events_.emit(refused ? LogLevel::kWarning : LogLevel::kInfo, to_string(notice.kind), fields);
}

}  // namespace mpb
