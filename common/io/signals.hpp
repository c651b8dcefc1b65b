// Signals: from the first line of main on, and as events of the loop (signalfd(2)).
#pragma once

#include <sys/types.h>

#include <csignal>
#include <functional>
#include <initializer_list>

#include "common/io/event_loop.hpp"

namespace mpb {

/// For the first line of main. A signal that asks for something is not lost and does not act by
/// default: SIGTERM and SIGINT end the program, which has nothing to clear away yet, with 0; SIGHUP
/// waits. Signals that a write may raise are ignored, it fails instead: SIGPIPE, SIGXFSZ, SIGTTOU.
/// So is SIGIO, which others who share a socket may ask for.
void prepare_signals();

/// For a process that becomes another program by execve(2): what prepare_signals changed is as by
/// default again. `hold_requests`: SIGTERM, SIGINT and SIGHUP stay blocked, and wait until that
/// program calls prepare_signals. Async-signal-safe.
void restore_signals(bool hold_requests);

/// While it lives, no signal is handled in this thread. One that is started meanwhile stays so.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked();
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  ~AllSignalsBlocked();

 private:
  sigset_t before_{};
};

/// One that has arrived.
struct Signal {
  int number = 0;
  pid_t sender = 0;  // 0: the kernel, as for a terminal, or somebody outside of this pid namespace
  bool told = true;  // false: the sender has chosen what it says of itself, or hides (sigqueue(3),
                     // fcntl(2) F_SETSIG)
};

class Signals final : private EventHandler {
 public:
  /// Blocks `signals` for this thread (others have all of them blocked) and calls `handle` for each
  /// that arrives, also for those that were waiting.
  Signals(EventLoop& loop, std::initializer_list<int> signals,
          std::function<void(const Signal&)> handle);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  void on_events(std::uint32_t events) override;

  EventLoop& loop_;
  std::function<void(const Signal&)> handle_;
  UniqueFd fd_;
  Watch watch_;
};

}  // namespace mpb
