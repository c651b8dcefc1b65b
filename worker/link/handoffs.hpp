// The parked clients of a worker: offers them to the broker, within the window it allows, and
// carries out its verdicts. The worker keeps every parked descriptor until the verdict.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/keyed_flat_map.hpp"
#include "common/io/channel.hpp"
#include "proto/channel/message.hpp"
#include "worker/clients/client_queue.hpp"
#include "worker/link/load_reporter.hpp"

namespace mpb {

class Handoffs {
 public:
  /// `first_id`: handoff ids count up from here; unique among all workers of all times, as far as
  /// the process id is.
  Handoffs(WorkerContext& worker, Channel& channel, LoadReporter& load, std::uint64_t first_id);

  /// Sends the client's Handoff, now or when the window allows: it is parked. std::bad_alloc: it
  /// was not taken.
  void offer(HeldClient&& client);

  /// The broker's verdicts.
  void on_settled(const channel::Settled& message);
  void on_nack(const channel::Nack& message);
  /// The client is served here from now on, once the delivery is acknowledged. Or why that is to be
  /// refused: the client is gone, or found the worker full: it is offered again by pump(), before
  /// which the refusal must be sent.
  std::variant<HeldClient, channel::NackReason> keep(const channel::KeepEntry& entry);

  /// The broker is gone, and no verdict comes any more. Whom it may have sent on is closed without
  /// a word, since somebody else may serve it; all others, and who is offered from now on, are
  /// refused.
  void abandon();

  /// Sends what the window and the channel allow: at the end of each turn.
  void pump();

  /// Ends those whose verdict has not come in time.
  void expire(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;

  /// Ids that were sent and have no verdict yet.
  [[nodiscard]] std::vector<std::uint64_t> unsettled() const;

 private:
  using Place = ClientQueue::Place;

  enum class When { kNow, kNextPump };

  void on_nack(Place place, channel::NackReason reason);
  /// Whoever may have had the client has neither read nor written it.
  [[nodiscard]] static bool is_untouched(Place place);
  /// Under a new id. False: there is no memory for that, and only the queue has it.
  [[nodiscard]] bool offer(Place place, When when);
  /// The same; is there no memory, the client is turned away. Not from within a session's work.
  bool offer_again(Place place, When when);
  /// Enters the client's new key, and makes sure of a session. False: there is no room for it here,
  /// or no memory.
  [[nodiscard]] bool enter(HeldClient& client, std::uint32_t epoch);
  [[nodiscard]] bool may_send() const;
  bool send(Place place);
  /// The client of a verdict, which is awaited no longer; none when unknown or gone.
  std::optional<Place> take(std::uint64_t id);
  /// The client is not in the queue any more: its verdict, if one comes, will find nobody.
  void forget(const HeldClient& client);

  WorkerContext& worker_;
  Channel& channel_;
  LoadReporter& load_;
  ClientQueue parked_;  // HeldClient::elsewhere: its Handoff was sent
  std::uint64_t next_id_;
  std::size_t sent_ = 0;                                      // without a verdict
  KeyedFlatMap<std::uint64_t, std::optional<Place>> places_;  // none: only its verdict is awaited
  std::set<std::uint64_t> unsent_;  // of those parked; a later one has a higher id
  std::string scratch_;
  bool abandoned_ = false;
  bool paused_ = false;  // the broker had no descriptor left: a pause before the next try
};

}  // namespace mpb
