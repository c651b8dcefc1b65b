// Lets some through at once and then one after the other; counts what it holds back. Pure: the
// caller brings the clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/io/event_loop.hpp"

namespace mpb {

struct RateLimit {
  std::uint32_t burst = 1;
  Duration interval{1'000};  // from one to the next, once the burst is used up
};

class RateBucket {
 public:
  /// Whether one may pass now.
  [[nodiscard]] bool ready(TimePoint now, const RateLimit& limit) const {
    return full_at_ <= now + limit.interval * (limit.burst - 1);
  }
  /// One passes; gives how many were held back since the last that did.
  std::uint32_t take(TimePoint now, const RateLimit& limit) {
    full_at_ = std::max(full_at_, now) + limit.interval;
    return std::exchange(held_back_, 0);
  }
  void hold_back() {
    if (held_back_ < UINT32_MAX) ++held_back_;
  }
  /// As if nothing had ever come.
  [[nodiscard]] bool at_rest(TimePoint now) const { return held_back_ == 0 && full_at_ <= now; }

 private:
  TimePoint full_at_{};  // when the whole burst may pass again
  std::uint32_t held_back_ = 0;
};

}  // namespace mpb
