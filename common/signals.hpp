// Signals as events of the loop (signalfd(2)).
#pragma once

#include <functional>
#include <initializer_list>

#include "common/event_loop.hpp"

namespace mpb {

class Signals final : private EventHandler {
 public:
  /// Blocks `signals` for this thread (start it before any other thread) and calls `handle(number)`
  /// for each that arrives. SIGPIPE is ignored.
  Signals(EventLoop& loop, std::initializer_list<int> signals, std::function<void(int)> handle);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  void on_events(std::uint32_t events) override;

  EventLoop& loop_;
  std::function<void(int)> handle_;
  UniqueFd fd_;
  Watch watch_;
};

}  // namespace mpb
