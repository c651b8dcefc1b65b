// A turn of the event loop at a certain time at the latest, for whatever its end does.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/io/event_loop.hpp"

namespace mpb {

class WakeUp {
 public:
  explicit WakeUp(EventLoop& loop) : loop_(loop) {}
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  ~WakeUp() {
    if (timer_) loop_.cancel(*timer_);
  }

  /// Of several times the earliest counts; what is due then asks anew for the others.
  void by(TimePoint when) {
    if (timer_ && timer_->first <= when) return;
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    const auto wait = std::chrono::ceil<Duration>(when - loop_.now());
    timer_ = loop_.after(std::max(wait, Duration{0}), [this] { timer_.reset(); });
  }

 private:
  EventLoop& loop_;
  std::optional<EventLoop::TimerId> timer_;
};

}  // namespace mpb
