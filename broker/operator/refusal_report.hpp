// When to tell that clients are refused because nobody has room for them. Pure: the caller brings
// the clock.
#pragma once

#include <cstdint>

#include "common/io/event_loop.hpp"

namespace mpb {

/// Tells of the first refused client at once, of those that follow once in an interval.
class RefusalReport {
 public:
  /// `refused`: of all time. Returns how many to tell of now; 0: none, or not yet.
  std::uint64_t due(std::uint64_t refused, TimePoint now) {
    if (refused == told_ || now < next_) return 0;
    const std::uint64_t fresh = refused - told_;
    told_ = refused;
    next_ = now + kInterval;
    return fresh;
  }

 private:
  static constexpr Duration kInterval{1'000};

  std::uint64_t told_ = 0;
  TimePoint next_{};
};

}  // namespace mpb
