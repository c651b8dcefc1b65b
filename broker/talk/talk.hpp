// Letters between workers, and to and from the operator: takes what workers post, sends it on, and
// tells workers what happens to them all. What a worker does not read waits in its mailbox, not in
// its channel, so that clients' messages pass it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "broker/dispatch/router.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/operator/event_log.hpp"
#include "broker/talk/hub.hpp"
#include "broker/talk/operator_ask.hpp"
#include "broker/workers/supervisor.hpp"
#include "common/base/counters.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"

namespace mpb {

/// What an operator says to workers.
struct OperatorLetter {
  channel::Address to;  // views of what the caller keeps for the call
  std::string_view topic;
  std::string_view text;
};

class Talk {
 public:
  struct Parts {
    EventLoop& loop;
    const WorkerTable& workers;
    Router& router;
    Supervisor& supervisor;
    EventLog& events;
  };
  explicit Talk(const Parts& parts) : parts_(parts) {}
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;
  ~Talk();

  /// Numbers that this broker gives are higher than that, and so than those of any before it.
  void begin_after(std::uint64_t number) {
    hub_.begin_after(number);
    next_correlation_ = number + 1;
  }
  void on_online(Slot slot);
  /// Its process is gone.
  void on_gone(Slot slot);
  /// Each gives why the worker must be ejected; empty: it need not.
  std::string_view on_post(Slot slot, const channel::Post& post, ForeignDescriptor descriptor);
  std::string_view on_join(Slot slot, const channel::Join& message);
  std::string_view on_subscribe(Slot slot, const channel::Subscribe& message);

  /// Whether any worker wants to know of events.
  [[nodiscard]] bool has_subscriber() const;
  /// An event as the operator is told it: workers that want to know are told, too.
  void on_event(const boost::json::object& event);

  /// Gives {"ok":true,"sent":N}, and who is missing, or an error.
  boost::json::object send(const OperatorLetter& letter);
  using Done = std::function<void(boost::json::object report)>;
  /// Calls `done` once all that it was sent to have answered, or `limit` has passed: see
  /// OperatorAsk::report().
  void ask(const OperatorLetter& letter, Duration limit, Done done);

  /// Sends what waits, as far as its receivers have read, and tells senders what became of theirs.
  void end_turn();
  /// Twice a second.
  void tick();

  [[nodiscard]] TalkCounters counters() const;

 private:
  /// A letter on its way: the descriptor is its own until it waits for somebody.
  struct Outgoing {
    std::string_view datagram;
    UniqueFd descriptor{};
    WorkerId sender = kOperator;
    std::uint64_t letter = 0;
    Amount retained{};
    std::shared_ptr<const Parcel> parcel{};
  };
  struct Ask {
    OperatorAsk ask;
    Done done;
    EventLoop::TimerId timer{};
  };

  /// The owner of the key that the address names.
  [[nodiscard]] Slot owner_of(const channel::Address& to);
  /// Sends it, or lets it wait; or why neither.
  Loss bring(Slot to, Outgoing& letter);
  /// The same to all that the operator's letter is for, who are told to `ask`; why there are none.
  Loss bring_of_operator(const OperatorLetter& letter, channel::Content content, OperatorAsk& ask);
  void take_for_operator(WorkerId sender, const channel::Content& content);
  void finish(std::uint64_t correlation);
  void pump(Slot slot);
  /// What became of its letters; false: later.
  bool report_to(Slot slot);
  void tell_subscriber(Slot slot, std::string_view datagram);

  Parts parts_;
  Hub hub_;
  TalkCounters counters_;
  std::uint64_t next_correlation_ = 1;
  std::map<std::uint64_t, Ask> asks_;
  std::vector<RateBucket> operator_rates_;  // by slot
  std::uint64_t ticks_ = 0;
  std::string scratch_;
};

}  // namespace mpb
