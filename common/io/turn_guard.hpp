// No system call of an event loop's turn may wait for long, whatever somebody did to a descriptor
// that is shared with others: O_NONBLOCK belongs to the open file, not to the process, and anybody
// who holds a copy can take it away, also between our look at it and our call.
//
// So a timer watches the turn: a call that is stuck in it for longer than kLimit is interrupted and
// fails with EINTR, and goes on failing every kAgain while the turn lasts. Whoever made the call
// then mends the flag, or gives the descriptor up. It costs at most two system calls in 300 ms, and
// none while the loop sleeps.
#pragma once

#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>

namespace mpb {

/// For one thread: that of the first turn.
class TurnGuard {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kLimit{600};  // above the parts' housekeeping: 500 ms
  static constexpr std::chrono::milliseconds kLeast{300};  // what a turn is given at least
  static constexpr std::chrono::milliseconds kAgain{50};

  TurnGuard() = default;
  TurnGuard(const TurnGuard&) = delete;
  TurnGuard& operator=(const TurnGuard&) = delete;
  ~TurnGuard();

  /// A turn begins: its calls are interrupted from kLeast to kLimit from now on.
  void begin(Clock::time_point now) {
    if (fires_at_ - now < kLeast) arm(now);
  }
  /// The loop sleeps, and was woken by the guard alone: no more until the next begin().
  void rest();

  /// How often it went off, for any thread of the process. A call during which the number changes
  /// may have waited, even one that did a part of its work and does not say EINTR.
  [[nodiscard]] static std::sig_atomic_t count() { return count_; }

 private:
  bool make();
  void arm(Clock::time_point now);
  static void interrupt(int signal);

  static volatile std::sig_atomic_t count_;

  std::optional<timer_t> timer_;
  bool failed_ = false;  // without a timer: as good as it was
  Clock::time_point fires_at_{};
};

}  // namespace mpb
