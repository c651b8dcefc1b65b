// Waiting in tests: always for a condition, never for a time to pass.
#pragma once

#include <chrono>
#include <functional>

#include "common/base/units.hpp"

namespace mpb::test {

using namespace std::chrono_literals;

/// How long a test waits for what must come: so long that it proves that it hangs, however busy the
/// machine is. Scaled.
inline constexpr Duration kPatience{40'000};

/// How much slower than a plain build this one is: MPB_SLOW_FACTOR in the environment, else as
/// compiled in (sanitizers).
int slow_factor();

/// `limit` for a test to wait, stretched by the slow factor.
Duration scaled(Duration limit);

/// Asks `condition` again and again until it holds; false when it did not within `limit`, which is
/// stretched by the slow factor.
bool eventually(const std::function<bool()>& condition, Duration limit = kPatience);

/// Whether `condition` holds all the time for `duration`: for what must not happen.
bool throughout(Duration duration, const std::function<bool()>& condition);

/// Measures how long something took, in time of a plain build.
class Stopwatch {
 public:
  [[nodiscard]] Duration elapsed() const;

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace mpb::test
