#include "tests/integration/harness/timing.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>

#ifndef MPB_SLOW_FACTOR
#define MPB_SLOW_FACTOR 1
#endif

namespace mpb::test {
namespace {

constexpr Duration kPoll{5};
using Clock = std::chrono::steady_clock;

}  // namespace

int slow_factor() {
  static const int factor = [] {
    const char* given = std::getenv("MPB_SLOW_FACTOR");
    return std::max(1, given != nullptr ? std::atoi(given) : MPB_SLOW_FACTOR);
  }();
  return factor;
}

Duration scaled(Duration limit) {
  return limit * slow_factor();
}

bool eventually(const std::function<bool()>& condition, Duration limit) {
  const auto end = Clock::now() + scaled(limit);
  while (true) {
    if (condition()) return true;
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

bool throughout(Duration duration, const std::function<bool()>& condition) {
  const auto end = Clock::now() + duration;
  while (Clock::now() < end) {
    if (!condition()) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

Duration Stopwatch::elapsed() const {
  return std::chrono::duration_cast<Duration>(Clock::now() - begin_) / slow_factor();
}

}  // namespace mpb::test
