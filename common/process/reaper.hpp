// Children that nobody here has started: orphans, which are given to pid 1 of a container and to
// subreapers, and those that a program left which became this one (execve(2)).
#pragma once

#include "common/io/event_loop.hpp"

namespace mpb {

class Reaper {
 public:
  /// Looks for some that have ended before.
  explicit Reaper(EventLoop& loop) : loop_(loop) { look_soon(); }
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /// For SIGCHLD: waits, a little later and for many at a time, for those that have ended. Whoever
  /// waits for a child of its own in the turn in which that ends is not disturbed, nor is Child.
  void look_soon();

 private:
  void reap();

  EventLoop& loop_;
  bool looking_ = false;
};

/// Whether this process is given orphans.
bool adopts_orphans();

}  // namespace mpb
