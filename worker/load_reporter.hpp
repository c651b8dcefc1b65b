// Tells the broker how many clients this worker has: with each Ack, and alone when it has changed.
#pragma once

#include <string>

#include "common/channel.hpp"
#include "common/event_loop.hpp"
#include "proto/message.hpp"

namespace mpb {

struct WorkerContext;

class LoadReporter {
 public:
  LoadReporter(WorkerContext& worker, Channel& channel) : worker_(worker), channel_(channel) {}

  /// The load now, which the caller is about to tell in an Ack.
  channel::Load tell_with_ack();
  /// At the end of a turn: tells a change, but not more often than each 10 ms.
  void tell_when_due();
  /// Tells a change at once: the broker is about to decide by it.
  void tell_now();

 private:
  [[nodiscard]] bool changed() const;

  WorkerContext& worker_;
  Channel& channel_;
  channel::Load told_;
  TimePoint told_at_{};
  bool timer_armed_ = false;
};

}  // namespace mpb
