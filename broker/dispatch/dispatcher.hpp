// The broker's books: which clients are on their way, whose verdict is owed to whom, who waits.
// Messages of workers come in, and what is to be sent comes out. Pure: no I/O; descriptors pass by
// outside.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/dispatch/resync.hpp"
#include "broker/dispatch/router.hpp"
#include "broker/dispatch/scaler.hpp"
#include "broker/dispatch/seal.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "common/base/counters.hpp"
#include "common/base/keyed_flat_map.hpp"
#include "common/io/event_loop.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

/// What is to be sent to one worker at the end of the turn.
struct Outbox {
  std::vector<std::uint64_t> settled;
  TimePoint settled_since{};  // when the first of them was
  std::vector<channel::KeepEntry> keeps;
  std::vector<channel::NackEntry> nacks;
  [[nodiscard]] bool empty() const { return settled.empty() && keeps.empty() && nacks.empty(); }
};

/// What to do with the descriptor of a Handoff.
struct Dispatch {
  enum class Kind : std::uint8_t {
    kDeliver,    // send it on, as a Deliver with these fields; if that fails: undo(delivery)
    kNothing,    // close it: the verdict is in the outbox, or comes later
    kViolation,  // `why` the origin is to be ejected for it
  };
  Kind kind = Kind::kNothing;
  Slot slot = kNoSlot;
  std::uint64_t delivery = 0;
  std::uint32_t epoch = 0;
  std::string_view why{};
};

class Dispatcher {
 public:
  static constexpr Duration kSettledWait{5};
  static constexpr std::size_t kSettledTogether = 128;  // so many go at once

  /// `generation` makes delivery ids unique among the brokers that follow each other.
  Dispatcher(WorkerTable& workers, Router& router, Scaler& scaler, std::uint32_t generation,
             CellSet* cells = nullptr);
  void set_wait_limit(Duration limit) { wait_limit_ = limit; }
  /// How long a client waits for a report of room where none is expected. Reports of clients that
  /// have left are on their way for up to 10 ms, and longer on a machine that has much to do.
  void set_report_limit(Duration limit) { report_limit_ = limit; }
  /// Clients of one source are counted where they are, those with a verdict to come included: where
  /// there is a limit to that, a place that is free must be known to be.
  void set_settled_may_wait(bool may) { settled_may_wait_ = may; }
  void set_max_attempts(std::uint8_t attempts) { max_attempts_ = attempts; }
  /// Deliveries have numbers by which they are known again, instead of such that count up.
  void set_seal(const Seal& seal) { seal_ = seal; }
  /// Handoffs without a verdict that one origin may have; more than the credit of a target, so that
  /// a target that does not answer cannot hold up an origin's other clients. Default: the same.
  void set_handoff_window(std::uint32_t window) { handoff_window_ = window; }

  Dispatch on_handoff(Slot origin, const channel::Handoff& handoff, const RoutingRules& rules,
                      bool descriptor_arrived, TimePoint now);
  /// The Deliver could not be sent: its origin may try again, for want of a descriptor a little
  /// later.
  void undo(std::uint64_t delivery, bool no_descriptor = false);
  /// What becomes of offers that were made to a broker before this one.
  void resolve(Slot origin, const Resync::Verdicts& verdicts, TimePoint now);
  /// False: an id that is not on its way to `slot`.
  [[nodiscard]] bool on_ack(Slot slot, std::uint64_t delivery, TimePoint now);
  [[nodiscard]] bool on_nack(Slot slot, std::uint64_t delivery);

  /// The worker's process is gone: its clients in hand-over go elsewhere.
  void worker_gone(Slot slot);
  /// The worker takes no more clients; those on their way may still be taken.
  void worker_drains(Slot slot);
  /// Other rules apply: who waits for a cell is to come again.
  void decide_anew();
  /// Clients that wait and may be taken now are told to come again: at the end of each turn.
  void wake_waiting(TimePoint now);

  /// Time passes: the caller's own steady count of ticks, so that its own pauses are nobody's
  /// fault. Returns the workers that have owed an Ack or Nack for `limit` ticks, those not counted
  /// in which `held_up` (may be empty) was true of the worker: what was sent to it is still here.
  std::vector<Slot> tick(std::uint64_t limit, const std::function<bool(Slot)>& held_up = {});

  /// Calls `send(Slot, Outbox&)` for each worker that has something to be told; it may be taken.
  /// What `send` itself gives others to be told is for the next flush. Nobody waits for a Settled
  /// of an origin that has room enough: until kSettledWait has passed it is held back for others
  /// to go with.
  template <class F>
  void flush(TimePoint now, F&& send) {
    // `send` may find the worker gone, which changes the books.
    flushing_.swap(dirty_);
    for (const Slot slot : flushing_) {
      if (may_wait(slot, now)) {
        dirty_.push_back(slot);
        continue;
      }
      Outbox outbox = std::exchange(outboxes_[slot], Outbox{});
      if (!outbox.empty()) send(slot, outbox);
    }
    flushing_.clear();
  }
  /// When flush() has something to send even if nothing happens; none: it has not.
  [[nodiscard]] std::optional<TimePoint> flush_due() const;

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  /// Those of them that another worker could take; 0 as long as a report of room may be on its way.
  [[nodiscard]] std::size_t demand(TimePoint now) const;
  [[nodiscard]] std::size_t in_flight() const { return pending_.size(); }
  /// Handoffs of this worker that have no verdict yet.
  [[nodiscard]] std::uint32_t unsettled(Slot origin) const {
    return origin < unsettled_.size() ? unsettled_[origin] : 0;
  }
  [[nodiscard]] const DispatchCounters& counters() const { return counters_; }

 private:
  /// A client on its way to `target`.
  struct Pending {
    Party origin;
    std::uint64_t handoff = 0;
    Slot target = kNoSlot;
    bool keep = false;
    Route* route = nullptr;
    std::uint64_t since = 0;  // the clock tick (see tick) at which it was sent
  };
  using PendingClients = KeyedFlatMap<std::uint64_t, Pending>;  // by delivery
  /// A client that stays parked with its origin until there is room.
  struct Waiting {
    Party origin;
    std::uint64_t handoff = 0;
    TimePoint since;
    Slot target = kNoSlot;     // waits for it to be online with credit; kNoSlot: for room
    std::vector<Slot> places;  // in one of these; empty: anywhere
    bool for_cell = false;     // waits for one: `target`, or one that is nobody's
    bool anew = false;         // not any more: it is told to come again
  };

  [[nodiscard]] bool alive(const Party& party) const;
  Outbox& outbox(Slot slot);
  [[nodiscard]] bool may_wait(Slot slot, TimePoint now) const;
  void refuse(const Party& origin, std::uint64_t handoff, channel::NackReason reason);
  /// Or is refused, when too many wait.
  void wait(Waiting client);
  /// When it is refused, unless its turn has come.
  [[nodiscard]] TimePoint due(const Waiting& waiting) const;
  Dispatch send_to(const Party& origin, std::uint64_t handoff, const RouteDecision& decision);
  [[nodiscard]] std::uint64_t new_delivery(const Party& origin, std::uint64_t handoff, Slot target);
  void end_wait(const Waiting& waiting, channel::NackReason reason, TimePoint now);
  /// Of a client among those that wait, or not any more.
  void count_waiting(const Waiting& waiting, bool in);
  /// Its target takes nobody: any other will do. A cell's client is to come again.
  static void forget_target(Waiting& waiting);
  void forget_target_of_waiting(Slot slot);
  /// What the workers have left, for may_come().
  void count_places();
  /// Waits no longer: there is room for it, of which it takes one.
  bool may_come(const Waiting& waiting, std::uint64_t& room, TimePoint now);
  /// Takes a pending client off the books of its target.
  Pending take(PendingClients::iterator entry);

  WorkerTable& workers_;
  Router& router_;
  Scaler& scaler_;
  CellSet* cells_;
  std::uint64_t next_delivery_;
  std::optional<Seal> seal_;
  Duration wait_limit_{8'000};
  Duration report_limit_{200};
  std::uint8_t max_attempts_ = 16;
  bool settled_may_wait_ = true;
  std::uint32_t handoff_window_;
  std::uint64_t ticks_ = 0;
  PendingClients pending_;
  std::deque<Waiting> waiting_;           // in the order in which they came
  std::size_t placed_ = 0;                // those of them with places
  std::size_t for_cell_ = 0;              // those that wait for a cell
  std::size_t for_any_cell_ = 0;          // and it may be any that is nobody's
  bool some_anew_ = false;                // are to come again
  std::size_t free_cells_ = 0;            // scratch: those that are nobody's
  std::size_t cells_to_come_ = 0;         // scratch: those that will be
  bool hope_ = false;                     // room may come, as of the last look at them
  std::uint64_t workers_seen_ = 0;        // WorkerTable::changes then
  TimePoint next_due_{};                  // before that nobody is refused, unless those change
  std::vector<std::uint32_t> unsettled_;  // by origin: handoffs without a verdict
  std::vector<Outbox> outboxes_;          // by slot
  std::vector<Slot> dirty_;
  std::vector<Slot> flushing_;         // scratch
  std::vector<std::uint32_t> credit_;  // scratch: what each worker has left, by slot
  std::vector<std::uint64_t> room_;    // scratch: the same of room
  DispatchCounters counters_;
  Clock::duration waited_{0};  // waited_ms, exactly
};

}  // namespace mpb
