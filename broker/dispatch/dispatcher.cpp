#include "broker/dispatch/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace mpb {
namespace {

using channel::NackReason;

constexpr std::size_t kMaxWaiting = 100'000;  // clients parked with their origins
constexpr Duration kDemandDelay{30};          // see demand()

}  // namespace

Dispatcher::Dispatcher(WorkerTable& workers, Router& router, Scaler& scaler,
                       std::uint32_t generation, CellSet* cells)
    : workers_(workers),
      router_(router),
      scaler_(scaler),
      cells_(cells),
      next_delivery_((std::uint64_t{generation} << 32) | 1),
      handoff_window_(workers.window()) {}

bool Dispatcher::alive(const Party& party) const {
  return workers_.known(party.slot) && workers_.at(party.slot).incarnation == party.incarnation;
}

Outbox& Dispatcher::outbox(Slot slot) {
  if (outboxes_.size() <= slot) outboxes_.resize(slot + 1U);
  if (outboxes_[slot].empty()) dirty_.push_back(slot);
  return outboxes_[slot];
}

bool Dispatcher::may_wait(Slot slot, TimePoint now) const {
  const Outbox& outbox = outboxes_[slot];
  return settled_may_wait_ && workers_.room(slot) >= kSettledTogether && !outbox.settled.empty() &&
         outbox.keeps.empty() && outbox.nacks.empty() && outbox.settled.size() < kSettledTogether &&
         now - outbox.settled_since < kSettledWait;
}

std::optional<TimePoint> Dispatcher::flush_due() const {
  std::optional<TimePoint> due;
  for (const Slot slot : dirty_) {
    const TimePoint at = outboxes_[slot].settled_since + kSettledWait;
    if (!due || at < *due) due = at;
  }
  return due;
}

void Dispatcher::refuse(const Party& origin, std::uint64_t handoff, NackReason reason) {
  if (!alive(origin)) return;
  --unsettled_[origin.slot];
  if (reason == NackReason::kRetry) ++counters_.retried;
  if (reason == NackReason::kBusy || reason == NackReason::kLoop) ++counters_.busy;
  outbox(origin.slot).nacks.push_back({handoff, reason});
}

Dispatch Dispatcher::on_handoff(Slot origin_slot, const channel::Handoff& handoff,
                                const RoutingRules& rules, bool descriptor_arrived, TimePoint now) {
  if (unsettled_.size() <= origin_slot) unsettled_.resize(origin_slot + 1U);
  if (unsettled_[origin_slot] >= handoff_window_) {
    return {Dispatch::Kind::kViolation, kNoSlot, 0, 0, "more unsettled handoffs than its window"};
  }
  ++unsettled_[origin_slot];
  ++counters_.handoffs;
  const Party origin{origin_slot, workers_.at(origin_slot).incarnation};
  if (!descriptor_arrived) {
    ++counters_.descriptors_lost;
    refuse(origin, handoff.handoff, NackReason::kNoDescriptor);
    return {};
  }
  if (handoff.client.attempts >= max_attempts_) {
    refuse(origin, handoff.handoff, NackReason::kLoop);
    return {};
  }
  const RouteDecision decision =
      router_.decide({origin_slot, handoff.client.key, &rules, handoff.client.counted,
                      handoff.client.attempts > 0, now});
  switch (decision.kind) {
    case RouteDecision::Kind::kTo:
      return send_to(origin, handoff.handoff, decision);
    case RouteDecision::Kind::kWait:
    case RouteDecision::Kind::kFull:
      wait({origin,
            handoff.handoff,
            now,
            decision.slot,
            {decision.places.begin(), decision.places.end()},
            decision.for_cell});
      return {};
    case RouteDecision::Kind::kBusy:
      refuse(origin, handoff.handoff, NackReason::kBusy);
      return {};
  }
  return {};
}

Dispatch Dispatcher::send_to(const Party& origin, std::uint64_t handoff,
                             const RouteDecision& decision) {
  const std::uint64_t delivery = new_delivery(origin, handoff, decision.slot);
  const bool keep = decision.slot == origin.slot;
  const Pending pending{origin, handoff, decision.slot, keep, decision.route, ticks_};
  if (!pending_.try_emplace(delivery, pending).second) {
    if (decision.route != nullptr) router_.not_taken(*decision.route);
    return {Dispatch::Kind::kViolation, kNoSlot, 0, 0, "two Handoffs with the same id"};
  }
  workers_.add_in_flight(decision.slot);
  std::uint32_t epoch = 0;
  if (decision.route != nullptr) {
    ++decision.route->in_flight;
    epoch = decision.route->epoch;
  }
  if (!keep) {
    ++counters_.delivered;
    return {Dispatch::Kind::kDeliver, decision.slot, delivery, epoch, {}};
  }
  ++counters_.kept;
  --unsettled_[origin.slot];
  outbox(origin.slot).keeps.push_back({handoff, delivery, epoch});
  return {};
}

std::uint64_t Dispatcher::new_delivery(const Party& origin, std::uint64_t handoff, Slot target) {
  if (!seal_) return next_delivery_++;
  return seal_->delivery(origin.slot, handoff, {target, workers_.at(target).incarnation});
}

void Dispatcher::resolve(Slot origin, const Resync::Verdicts& verdicts, TimePoint now) {
  if (verdicts.settled.empty() && verdicts.nacks.empty()) return;
  Outbox& told = outbox(origin);
  if (told.settled.empty()) told.settled_since = now;
  counters_.settled += verdicts.settled.size();
  counters_.retried += verdicts.nacks.size();
  told.settled.insert(told.settled.end(), verdicts.settled.begin(), verdicts.settled.end());
  told.nacks.insert(told.nacks.end(), verdicts.nacks.begin(), verdicts.nacks.end());
}

void Dispatcher::wait(Waiting client) {
  if (waiting_.size() >= kMaxWaiting) {
    return refuse(client.origin, client.handoff, NackReason::kBusy);
  }
  ++counters_.waited;
  next_due_ = waiting_.empty() ? due(client) : std::min(next_due_, due(client));
  count_waiting(client, true);
  waiting_.push_back(std::move(client));
}

void Dispatcher::count_waiting(const Waiting& waiting, bool in) {
  const auto change = [in](std::size_t& sum) { sum = in ? sum + 1 : sum - 1; };
  if (!waiting.places.empty()) change(placed_);
  if (!waiting.for_cell) return;
  change(for_cell_);
  if (waiting.target != kNoSlot || waiting.anew) return;
  change(for_any_cell_);
  if (cells_ != nullptr) cells_->set_waiting(for_any_cell_);
}

void Dispatcher::forget_target(Waiting& waiting) {
  waiting.target = kNoSlot;
  waiting.anew = waiting.for_cell;
}

TimePoint Dispatcher::due(const Waiting& waiting) const {
  const bool hope =
      waiting.places.empty() && (waiting.target != kNoSlot || waiting.for_cell || hope_);
  return waiting.since + (hope ? wait_limit_ : std::min(report_limit_, wait_limit_));
}

std::size_t Dispatcher::demand(TimePoint now) const {
  if (waiting_.empty() || now - waiting_.front().since < kDemandDelay) return 0;
  return waiting_.size() - placed_ - for_cell_;
}

Dispatcher::Pending Dispatcher::take(PendingClients::iterator entry) {
  const Pending pending = entry->second;
  pending_.erase(entry);
  workers_.remove_in_flight(pending.target);
  if (pending.route != nullptr) --pending.route->in_flight;
  return pending;
}

void Dispatcher::undo(std::uint64_t delivery, bool no_descriptor) {
  const auto entry = pending_.find(delivery);
  if (entry == pending_.end()) return;
  const Pending pending = take(entry);
  if (pending.route != nullptr) router_.not_taken(*pending.route);
  if (no_descriptor) ++counters_.descriptors_lost;
  refuse(pending.origin, pending.handoff,
         no_descriptor ? NackReason::kNoDescriptor : NackReason::kRetry);
}

bool Dispatcher::on_ack(Slot slot, std::uint64_t delivery, TimePoint now) {
  const auto entry = pending_.find(delivery);
  if (entry == pending_.end() || entry->second.target != slot) return false;
  const Pending pending = take(entry);
  workers_.note_taken(slot);
  if (pending.route != nullptr) pending.route->held = true;
  if (pending.keep || !alive(pending.origin)) return true;
  ++counters_.settled;
  --unsettled_[pending.origin.slot];
  Outbox& told = outbox(pending.origin.slot);
  if (told.settled.empty()) told.settled_since = now;
  told.settled.push_back(pending.handoff);
  return true;
}

bool Dispatcher::on_nack(Slot slot, std::uint64_t delivery) {
  const auto entry = pending_.find(delivery);
  if (entry == pending_.end() || entry->second.target != slot) return false;
  const Pending pending = take(entry);
  if (pending.route != nullptr) router_.not_taken(*pending.route);
  ++counters_.nacked;
  // Whatever the reason, the next offer should go elsewhere. A Keep is refused when its client is
  // gone, or by a full origin, which tells its load and offers the client again itself.
  if (!pending.keep) workers_.mark_full(slot);
  if (!pending.keep) refuse(pending.origin, pending.handoff, NackReason::kRetry);
  return true;
}

std::vector<Slot> Dispatcher::tick(std::uint64_t limit, const std::function<bool(Slot)>& held_up) {
  ++ticks_;
  std::vector<bool> excused(workers_.size());
  for (Slot slot = 0; held_up && slot < workers_.size(); ++slot) excused[slot] = held_up(slot);
  std::vector<Slot> overdue;
  for (auto& [delivery, pending] : pending_) {
    if (excused[pending.target]) ++pending.since;
    const bool late = ticks_ - pending.since > limit;
    const bool known = std::find(overdue.begin(), overdue.end(), pending.target) != overdue.end();
    if (late && !known) overdue.push_back(pending.target);
  }
  return overdue;
}

void Dispatcher::worker_gone(Slot slot) {
  for (auto entry = pending_.begin(); entry != pending_.end();) {
    const auto here = entry++;
    if (here->second.target != slot) {
      // Its verdict is owed to nobody, whoever has this slot and incarnation by then.
      if (here->second.origin.slot == slot) here->second.origin = {};
      continue;
    }
    const Pending pending = take(here);
    if (!pending.keep && pending.origin.slot != slot) {
      refuse(pending.origin, pending.handoff, NackReason::kRetry);
    }
  }
  std::erase_if(waiting_, [this, slot](const Waiting& waiting) {
    if (waiting.origin.slot != slot) return false;
    count_waiting(waiting, false);
    return true;
  });
  forget_target_of_waiting(slot);
  if (slot < unsettled_.size()) unsettled_[slot] = 0;
  if (slot < outboxes_.size()) outboxes_[slot] = Outbox{};
  std::erase(dirty_, slot);
  router_.forget_owner(slot);
}

void Dispatcher::worker_drains(Slot slot) {
  for (auto& [delivery, pending] : pending_) {
    if (pending.target == slot) pending.route = nullptr;
  }
  forget_target_of_waiting(slot);
  router_.forget_owner(slot);
}

void Dispatcher::forget_target_of_waiting(Slot slot) {
  for (Waiting& waiting : waiting_) {
    if (waiting.target != slot) continue;
    count_waiting(waiting, false);
    forget_target(waiting);
    some_anew_ = some_anew_ || waiting.anew;
    count_waiting(waiting, true);
  }
}

void Dispatcher::decide_anew() {
  for (Waiting& waiting : waiting_) {
    if (!waiting.for_cell) continue;
    count_waiting(waiting, false);
    waiting.anew = some_anew_ = true;
    count_waiting(waiting, true);
  }
}

void Dispatcher::wake_waiting(TimePoint now) {
  if (waiting_.empty()) return;
  std::uint64_t room = workers_.free_room();
  const bool hope = scaler_.room_may_come(workers_);
  const bool changed = hope != hope_ || workers_.changes() != workers_seen_;
  free_cells_ = cells_ != nullptr ? cells_->unpromised() : 0;
  cells_to_come_ = cells_ != nullptr ? cells_->places(now) : 0;
  const bool by_room = room > 0 && for_cell_ < waiting_.size();
  const bool by_cells = free_cells_ > 0 || for_any_cell_ > cells_to_come_ || some_anew_;
  if (!by_room && !by_cells && !changed && now < next_due_) return;
  some_anew_ = false;
  hope_ = hope;
  workers_seen_ = workers_.changes();
  count_places();
  std::deque<Waiting> still;
  next_due_ = TimePoint::max();
  placed_ = for_cell_ = for_any_cell_ = 0;
  for (Waiting& waiting : waiting_) {
    if (!alive(waiting.origin)) continue;
    const bool stays_down = waiting.target != kNoSlot && !workers_.online(waiting.target) &&
                            !workers_.coming(waiting.target);
    if (stays_down) forget_target(waiting);
    if (may_come(waiting, room, now)) {
      end_wait(waiting, NackReason::kRetry, now);
    } else if (now >= due(waiting)) {
      end_wait(waiting, NackReason::kBusy, now);
    } else {
      next_due_ = std::min(next_due_, due(waiting));
      count_waiting(waiting, true);
      still.push_back(std::move(waiting));
    }
  }
  waiting_ = std::move(still);
  if (cells_ != nullptr) cells_->set_waiting(for_any_cell_);
}

void Dispatcher::end_wait(const Waiting& waiting, NackReason reason, TimePoint now) {
  waited_ += now - waiting.since;
  counters_.waited_ms = static_cast<std::uint64_t>(floor<Duration>(waited_).count());
  refuse(waiting.origin, waiting.handoff, reason);
}

void Dispatcher::count_places() {
  credit_.resize(workers_.size());
  room_.resize(workers_.size());
  for (Slot slot = 0; slot < workers_.size(); ++slot) {
    credit_[slot] = workers_.online(slot) ? workers_.credit(slot) : 0;
    room_[slot] = workers_.room(slot);
  }
}

/// Not more than find a place: those that come in vain use up their attempts.
bool Dispatcher::may_come(const Waiting& waiting, std::uint64_t& room, TimePoint now) {
  if (waiting.anew) return true;
  if (waiting.target != kNoSlot) {
    if (!workers_.known(waiting.target) || credit_[waiting.target] == 0) return false;
    --credit_[waiting.target];
    return true;
  }
  if (waiting.for_cell) {
    if (free_cells_ > 0) {
      --free_cells_;
      cells_->promise(now);
      return true;
    }
    // Beyond those that will come it is placed otherwise.
    if (cells_to_come_ == 0) return true;
    --cells_to_come_;
    return false;
  }
  if (room == 0) return false;
  if (!waiting.places.empty()) {
    const auto place = std::find_if(waiting.places.begin(), waiting.places.end(),
                                    [this](Slot slot) { return room_[slot] != 0; });
    if (place == waiting.places.end()) return false;
    --room_[*place];
  }
  --room;
  return true;
}

}  // namespace mpb
