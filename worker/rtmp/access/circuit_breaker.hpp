// Whether a server that does not answer is asked any more. Pure: it is given the time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "common/io/event_loop.hpp"

namespace mpb::rtmp {

/// Closed: requests go through. `kFailures` in a row, with no answer in between, open it: none goes
/// through for a pause. Then it is half-open: a single one does, as a probe. An answer closes it, a
/// failure opens it anew, for twice as long.
class CircuitBreaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  static constexpr std::uint32_t kFailures = 5;
  static constexpr Duration kFirstPause{1'000};
  static constexpr Duration kLongestPause{30'000};

  /// Whether one may go through now. When that makes it half-open, that one is the probe: it ends
  /// with answered(), failed() or withdraw_probe().
  bool admit(TimePoint now) {
    if (state_ == State::kClosed) return true;
    if (state_ == State::kHalfOpen || now < open_until_) return false;
    state_ = State::kHalfOpen;
    return true;
  }
  /// True: that closes it.
  bool answered() {
    failures_ = 0;
    pause_ = kFirstPause;
    return std::exchange(state_, State::kClosed) != State::kClosed;
  }
  /// True: it was closed, and is open now.
  bool failed(TimePoint now) {
    if (failures_ < UINT32_MAX) ++failures_;
    if (state_ == State::kOpen) return false;  // of one that went through before
    if (state_ == State::kClosed && failures_ < kFailures) return false;
    open_until_ = now + pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
    return std::exchange(state_, State::kOpen) == State::kClosed;
  }
  /// The probe was not sent: the next one is to be it.
  void withdraw_probe() {
    if (state_ == State::kHalfOpen) state_ = State::kOpen;
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }  // in a row
  [[nodiscard]] TimePoint open_until() const { return open_until_; }

 private:
  State state_ = State::kClosed;
  std::uint32_t failures_ = 0;
  Duration pause_ = kFirstPause;  // the next
  TimePoint open_until_{};
};

constexpr std::string_view to_string(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::kClosed:
      return "closed";
    case CircuitBreaker::State::kOpen:
      return "open";
    case CircuitBreaker::State::kHalfOpen:
      break;
  }
  return "half-open";
}

}  // namespace mpb::rtmp
