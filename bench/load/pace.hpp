// Which clients a thread starts, and when.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "common/io/event_loop.hpp"

namespace mpb::load {

struct Pace {
  std::uint64_t next = 0;  // number of the client that starts next
  std::uint64_t step = 1;  // to the one after it
  std::uint64_t total = std::numeric_limits<std::uint64_t>::max();  // no number is as great
  double rate = 0;   // numbers a second; 0: as soon as there is room
  TimePoint origin;  // with a rate: when number `first` is due
  std::uint64_t first = 0;
  TimePoint end = TimePoint::max();  // with a rate: none is due from here on

  [[nodiscard]] TimePoint intended(std::uint64_t number) const {
    const std::chrono::duration<double> offset(static_cast<double>(number - first) / rate);
    return origin + std::chrono::duration_cast<Clock::duration>(offset);
  }
  [[nodiscard]] bool has_more() const {
    return next < total && (rate == 0 || intended(next) < end);
  }
};

}  // namespace mpb::load
