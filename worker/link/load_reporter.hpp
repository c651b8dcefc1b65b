// Tells the broker how many clients this worker has: with each Ack, and alone when it has changed.
#pragma once

#include <string>

#include "common/io/channel.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/wake_up.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

struct WorkerContext;

class LoadReporter {
 public:
  LoadReporter(WorkerContext& worker, Channel& channel);

  /// The load now, which the caller is about to tell in an Ack.
  channel::Load tell_with_ack();
  /// At the end of a turn: tells a change, but not more often than each 10 ms; at once that there
  /// is room again, since clients may wait for it.
  void tell_when_due();
  /// Before an offer: tells at once what the broker may decide it by, that this worker is full or
  /// is so no longer.
  void tell_before_offer();
  /// The broker was just told that there is no room.
  void note_refusal() { taken_for_full_ = true; }

 private:
  [[nodiscard]] bool changed() const;
  [[nodiscard]] bool has_room() const;
  void tell();

  WorkerContext& worker_;
  Channel& channel_;
  channel::Load told_;
  TimePoint told_at_{};
  bool taken_for_full_ = false;  // by the broker, as far as is known here
  WakeUp interval_end_;
};

}  // namespace mpb
