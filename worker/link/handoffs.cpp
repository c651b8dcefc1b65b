#include "worker/link/handoffs.hpp"

#include <new>
#include <utility>

#include "proto/channel/encode.hpp"
#include "worker/clients/memory_reserve.hpp"
#include "worker/clients/session.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr Duration kDescriptorPause{20};  // until the broker may have descriptors again

void retry(HeldClient& client) {
  if (client.attempts < UINT8_MAX) ++client.attempts;
  client.exposed = true;  // whoever refused it may have kept it
  client.elsewhere = false;
  ++client.listener->counters.retried;
}

/// Without a verdict. Another worker may have one that was sent, and it must not hear two voices.
void end_without_verdict(HeldClient client) {
  const Reason why = client.elsewhere ? Reason::kRouteTimeout : Reason::kBusy;
  Session::turn_away(std::move(client), why);
}

}  // namespace

Handoffs::Handoffs(WorkerContext& worker, Channel& channel, LoadReporter& load,
                   std::uint64_t first_id)
    : worker_(worker),
      channel_(channel),
      load_(load),
      parked_(worker.environment.memory_keepers,
              [this](HeldClient client) {
                forget(client);
                Session::turn_away(std::move(client), Reason::kMediaMemory);
              }),
      next_id_(first_id) {}

void Handoffs::offer(HeldClient&& client) {
  client.attempts = 0;
  const Place place = parked_.add(std::move(client), worker_.loop.now());
  if (offer(place, When::kNow)) return;
  client = parked_.take(place);
  throw std::bad_alloc();
}

bool Handoffs::offer(Place place, When when) {
  place->client.handoff = next_id_++;
  try {
    places_[place->client.handoff] = place;
    const bool may = when == When::kNow && unsent_.empty() && may_send();
    if (!may || !send(place)) unsent_.insert(place->client.handoff);
    return true;
  } catch (const std::bad_alloc&) {
    forget(place->client);
    return false;
  }
}

bool Handoffs::offer_again(Place place, When when) {
  if (offer(place, when)) return true;
  Session::turn_away(parked_.take(place), Reason::kMediaMemory);
  return false;
}

/// What waits for the kernel's quota waits here, where its client can still be told that the
/// service is busy.
bool Handoffs::may_send() const {
  return !abandoned_ && !paused_ && sent_ < worker_.window && !channel_.waits_for_quota();
}

bool Handoffs::send(Place place) {
  HeldClient& client = place->client;
  load_.tell_before_offer();
  place->counts = worker_.notes_counts() && client.kind == StreamKind::kTcp
                      ? byte_counts(client.fd.get())
                      : std::nullopt;
  scratch_.clear();
  channel::encode(scratch_, channel::Handoff{client.handoff, client.describe()});
  if (!channel_.send(scratch_, client.fd.get())) return false;
  client.elsewhere = true;
  ++sent_;
  return true;
}

void Handoffs::abandon() {
  abandoned_ = true;
  while (!parked_.empty()) end_without_verdict(parked_.take(parked_.begin()));
  places_.clear();
  unsent_.clear();
}

void Handoffs::pump() {
  if (abandoned_) return abandon();
  while (!unsent_.empty() && may_send()) {
    if (!send(*places_.at(*unsent_.begin()))) return;
    unsent_.erase(unsent_.begin());
  }
}

std::optional<Handoffs::Place> Handoffs::take(std::uint64_t id) {
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  const std::optional<Place> place = found->second;
  places_.erase(found);
  if (!place || (*place)->client.elsewhere) {
    --sent_;
  } else {
    unsent_.erase(id);
  }
  return place;
}

void Handoffs::forget(const HeldClient& client) {
  // Until its verdict it counts against the window, as it does with the broker.
  if (client.elsewhere) {
    const auto found = places_.find(client.handoff);
    if (found != places_.end()) found->second.reset();
  } else {
    unsent_.erase(client.handoff);
    places_.erase(client.handoff);
  }
}

void Handoffs::expire(TimePoint now) {
  parked_.expire(now, worker_.settings.route_timeout, [this](HeldClient client) {
    forget(client);
    end_without_verdict(std::move(client));
  });
}

std::optional<TimePoint> Handoffs::next_expiry() const {
  return parked_.next(worker_.settings.route_timeout);
}

void Handoffs::on_settled(const channel::Settled& message) {
  for (const std::uint64_t id : message.handoffs) {
    const auto place = take(id);
    if (!place) continue;
    ++(*place)->client.listener->counters.handed_off;
    (*place)->client.elsewhere = true;
    parked_.take(*place).close();
  }
}

std::variant<HeldClient, channel::NackReason> Handoffs::keep(const channel::KeepEntry& entry) {
  const auto found = places_.find(entry.handoff);
  if (found == places_.end() || !found->second) {
    take(entry.handoff);
    return channel::NackReason::kUnknown;
  }
  const Place place = *found->second;
  HeldClient& client = place->client;
  const bool serves = enter(client, entry.epoch);
  take(entry.handoff);
  if (serves) {
    ++client.listener->counters.kept;
    return parked_.take(place);
  }
  // The broker decided by an older load. The next offer comes behind the Nack (pump): before it,
  // the broker takes the client's key for this worker's.
  ++client.listener->counters.nacked;
  retry(client);
  return offer_again(place, When::kNextPump) ? channel::NackReason::kFull
                                             : channel::NackReason::kUnknown;
}

bool Handoffs::enter(HeldClient& client, std::uint32_t epoch) {
  if (!client.has_room()) return false;
  try {
    const MemoryReserve::ClientWork at_work;
    worker_.clients.promise_session();
    client.enter(client.wanted, epoch);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Handoffs::on_nack(const channel::Nack& message) {
  for (const channel::NackEntry entry : message.entries) {
    if (const auto place = take(entry.id)) on_nack(*place, entry.reason);
  }
}

void Handoffs::on_nack(Place place, channel::NackReason reason) {
  HeldClient& client = place->client;
  client.elsewhere = false;
  switch (reason) {
    case channel::NackReason::kRetry:
      retry(client);
      offer_again(place, When::kNow);
      return;
    case channel::NackReason::kUncertain:
      if (is_untouched(place)) {
        retry(client);
        offer_again(place, When::kNow);
        return;
      }
      client.elsewhere = true;
      return end_without_verdict(parked_.take(place));
    case channel::NackReason::kNoDescriptor:
      ++client.listener->counters.retried;
      if (!std::exchange(paused_, true)) {
        worker_.loop.after(kDescriptorPause, [this] { paused_ = false; });
      }
      offer_again(place, When::kNow);
      return;
    default:
      return Session::turn_away(parked_.take(place), Reason::kBusy);
  }
}

bool Handoffs::is_untouched(Place place) {
  return place->counts && place->counts == byte_counts(place->client.fd.get());
}

std::vector<std::uint64_t> Handoffs::unsettled() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, place] : places_) {
    if (!place || (*place)->client.elsewhere) ids.push_back(id);
  }
  return ids;
}

}  // namespace mpb
