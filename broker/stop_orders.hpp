// Which of the signals that say stop are the same order: one to a whole process group (a
// terminal's, timeout(1)'s, an init system's) arrives from its sender, and once more from mpguard,
// which passes it on.
#pragma once

#include <sys/types.h>

#include <optional>

#include "common/io/event_loop.hpp"

namespace mpb {

class StopOrders {
 public:
  /// `guard` passes signals on; none: nobody does.
  explicit StopOrders(std::optional<pid_t> guard) : guard_(guard) {}

  /// False: it is the other half of the last one.
  bool is_another(pid_t sender, TimePoint now) {
    const bool from_guard = guard_ == sender;
    const bool same = guard_ && last_ && last_from_guard_ != from_guard && now - *last_ < kApart;
    if (same) return last_.reset(), false;
    last_ = now;
    last_from_guard_ = from_guard;
    return true;
  }

 private:
  static constexpr Duration kApart{1'000};
  std::optional<pid_t> guard_;
  std::optional<TimePoint> last_;
  bool last_from_guard_ = false;
};

}  // namespace mpb
