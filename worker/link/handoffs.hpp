// The parked clients of a worker: offers them to the broker, within the window it allows, and
// carries out its verdicts. The worker keeps every parked descriptor until the verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/base/keyed_flat_map.hpp"
#include "common/io/channel.hpp"
#include "proto/channel/message.hpp"
#include "worker/clients/session.hpp"
#include "worker/link/load_reporter.hpp"

namespace mpb {

class Handoffs {
 public:
  /// `first_id`: handoff ids count up from here; unique among all workers of all times, as far as
  /// the process id is.
  Handoffs(WorkerContext& worker, Channel& channel, LoadReporter& load, std::uint64_t first_id)
      : worker_(worker), channel_(channel), load_(load), next_id_(first_id) {}

  /// Sends the session's Handoff, now or when the window allows. The session is parked.
  void offer(Session& session);
  /// Takes back an offer whose time is over; false when the broker may have it already.
  bool withdraw(Session& session);
  /// The session ends: its verdict, if one comes, will find nobody.
  void forget(Session& session);

  /// The broker's verdicts.
  void on_settled(const channel::Settled& message);
  void on_nack(const channel::Nack& message);
  /// Calls `kept` for a session that is served here now, with the delivery to acknowledge. Calls
  /// `refused` for a delivery whose session is gone, or found the worker full: that one is offered
  /// again by pump(), before which the refusal must be sent.
  void on_keep(const channel::Keep& message,
               const std::function<void(Session&, std::uint64_t)>& kept,
               const std::function<void(std::uint64_t, channel::NackReason)>& refused);

  /// The broker is gone, and no verdict comes any more. Whom it may have sent on is closed without
  /// a word, since somebody else may serve it; all others, and who is offered from now on, are
  /// refused.
  void abandon();

  /// Sends what the window and the channel allow: at the end of each turn.
  void pump();

  /// Ids that were sent and have no verdict yet.
  [[nodiscard]] std::vector<std::uint64_t> unsettled() const;

 private:
  void on_nack(Session& session, channel::NackReason reason);
  struct Parked {
    Session* session = nullptr;  // null: it has ended, and only its verdict is awaited
    bool sent = false;
  };

  [[nodiscard]] bool may_send() const;
  /// Under a new id, not sent yet.
  Parked& park(Session& session);
  bool send(std::uint64_t id, Session& session);
  /// The session of a verdict, which is parked no longer; null when unknown.
  Session* take(std::uint64_t id);

  WorkerContext& worker_;
  Channel& channel_;
  LoadReporter& load_;
  std::uint64_t next_id_;
  std::size_t sent_ = 0;  // without a verdict
  KeyedFlatMap<std::uint64_t, Parked> parked_;
  std::set<std::uint64_t> unsent_;  // of those parked; a later one has a higher id
  std::string scratch_;
  bool abandoned_ = false;
  bool paused_ = false;  // the broker had no descriptor left: a pause before the next try
};

}  // namespace mpb
