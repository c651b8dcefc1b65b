// What workers leave behind ends with them: children and grandchildren, whatever session, group or
// parent they have by now. In little steps, so that nobody who forks fast holds the broker up.
#pragma once

#include <functional>

#include "broker/workers/kinship.hpp"
#include "broker/workers/worker_cgroups.hpp"
#include "common/base/keyed_map.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"

namespace mpb {

class Remains {
 public:
  Remains(EventLoop& loop, const Kinship& kinship);
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;

  /// The group of the next process of this slot, see WorkerCgroups::enter.
  UniqueFd enter(Slot slot, const GroupLimits& limits) { return cgroups_.enter(slot, limits); }
  /// See WorkerCgroups.
  void take_over(Slot slot, pid_t pid) { cgroups_.take_over(slot, pid); }
  std::string prepare_limits() { return cgroups_.prepare_limits(); }
  [[nodiscard]] bool can_limit() const { return cgroups_.can_limit(); }
  /// A worker's process has ended, or was killed.
  void on_end(Slot slot);
  /// Now and then: for what was left behind by workers that live.
  void look() { sweep(); }
  /// Calls `done` when nothing is left, or after a while of trying.
  void when_none(std::function<void()> done);

 private:
  /// One step, and a timer for the next while something is left.
  void sweep();
  /// Whether all that was found has ended.
  bool sweep_once(TimePoint until);
  /// The same of what mpguard was given.
  bool end_strays_of_guard();
  void end(pid_t pid);
  void tell();

  EventLoop& loop_;
  const Kinship& kinship_;
  const pid_t guard_;  // 0: there is none
  WorkerCgroups cgroups_;
  KeyedSet<pid_t> killed_;    // that have not ended yet
  std::uint64_t untold_ = 0;  // were killed, and the log does not say so yet
  RateBucket told_;
  bool sweeping_ = false;
  unsigned steps_ = 0;  // in a row
  std::function<void()> done_;
  TimePoint done_by_{};
};

}  // namespace mpb
