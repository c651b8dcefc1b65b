#include "worker/link/handoffs.hpp"

#include <utility>

#include "proto/channel/encode.hpp"
#include "worker/service.hpp"
#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr Duration kDescriptorPause{20};  // until the broker may have descriptors again

}  // namespace

void Handoffs::offer(Session& session) {
  if (abandoned_) return session.refuse();
  Parked& parked = park(session);
  if (unsent_.empty() && may_send() && send(session.handoff_id(), session)) {
    parked.sent = true;
    ++sent_;
  } else {
    unsent_.insert(session.handoff_id());
  }
}

/// What waits for the kernel's quota waits here, where its client can still be told that the
/// service is busy.
bool Handoffs::may_send() const {
  return !paused_ && sent_ < worker_.window && !channel_.waits_for_quota();
}

Handoffs::Parked& Handoffs::park(Session& session) {
  session.set_handoff_id(next_id_++);
  Parked& parked = parked_[session.handoff_id()];
  parked.session = &session;
  return parked;
}

bool Handoffs::send(std::uint64_t id, Session& session) {
  load_.tell_before_offer();
  scratch_.clear();
  channel::encode(scratch_, channel::Handoff{id, session.describe()});
  return channel_.send(scratch_, session.fd()).has_value();
}

void Handoffs::abandon() {
  abandoned_ = true;
  unsent_.clear();
  for (const auto& [id, parked] : std::exchange(parked_, {})) {
    // The end of one may have ended another.
    const bool here = parked.session != nullptr && parked.session->handoff_id() == id &&
                      parked.session->state() == Session::State::kParked;
    if (!here) continue;
    if (parked.sent) {
      parked.session->close_unsettled();
    } else {
      parked.session->refuse();
    }
  }
}

void Handoffs::pump() {
  while (!unsent_.empty() && may_send()) {
    const std::uint64_t id = *unsent_.begin();
    Parked& parked = parked_.at(id);
    if (!send(id, *parked.session)) return;
    parked.sent = true;
    ++sent_;
    unsent_.erase(id);
  }
}

Session* Handoffs::take(std::uint64_t id) {
  const auto parked = parked_.find(id);
  if (parked == parked_.end()) return nullptr;
  Session* session = parked->second.session;
  if (parked->second.sent) {
    --sent_;
  } else {
    unsent_.erase(id);
  }
  parked_.erase(parked);
  return session;
}

bool Handoffs::withdraw(Session& session) {
  const auto parked = parked_.find(session.handoff_id());
  if (parked == parked_.end() || parked->second.sent) return false;
  unsent_.erase(parked->first);
  parked_.erase(parked);
  return true;
}

void Handoffs::forget(Session& session) {
  const auto parked = parked_.find(session.handoff_id());
  if (parked == parked_.end() || parked->second.session != &session) return;
  // Until its verdict it counts against the window, as it does with the broker.
  if (parked->second.sent) {
    parked->second.session = nullptr;
  } else {
    unsent_.erase(parked->first);
    parked_.erase(parked);
  }
}

void Handoffs::on_settled(const channel::Settled& message) {
  for (const std::uint64_t id : message.handoffs) {
    if (Session* session = take(id)) session->settle();
  }
}

void Handoffs::on_keep(const channel::Keep& message,
                       const std::function<void(Session&, std::uint64_t)>& kept,
                       const std::function<void(std::uint64_t, channel::NackReason)>& refused) {
  for (const channel::KeepEntry entry : message.entries) {
    Session* session = take(entry.handoff);
    if (session == nullptr) {
      refused(entry.delivery, channel::NackReason::kUnknown);
      continue;
    }
    if (session->has_room()) {
      session->keep(entry.epoch);
      kept(*session, entry.delivery);
      continue;
    }
    // The broker decided by an older load. The next offer comes behind the Nack (pump): before it,
    // the broker takes the client's key for this worker's.
    refused(entry.delivery, channel::NackReason::kFull);
    session->count_attempt();
    ++session->service().counters.nacked;
    ++session->service().counters.retried;
    park(*session);
    unsent_.insert(session->handoff_id());
  }
}

void Handoffs::on_nack(const channel::Nack& message) {
  for (const channel::NackEntry entry : message.entries) {
    if (Session* session = take(entry.id)) on_nack(*session, entry.reason);
  }
}

void Handoffs::on_nack(Session& session, channel::NackReason reason) {
  switch (reason) {
    case channel::NackReason::kRetry:
      session.count_attempt();
      ++session.service().counters.retried;
      return offer(session);
    case channel::NackReason::kNoDescriptor:
      ++session.service().counters.retried;
      if (!std::exchange(paused_, true)) {
        worker_.loop.after(kDescriptorPause, [this] { paused_ = false; });
      }
      return offer(session);
    default:
      return session.refuse();
  }
}

std::vector<std::uint64_t> Handoffs::unsettled() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, parked] : parked_) {
    if (parked.sent) ids.push_back(id);
  }
  return ids;
}

}  // namespace mpb
