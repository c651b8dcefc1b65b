#include "worker/clients/waiting_clients.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "worker/clients/session.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr Duration kPatience{200};

void refuse_for_memory(HeldClient client) {
  Session::turn_away(std::move(client), Reason::kMediaMemory);
}

/// Is there no memory for that, the client is closed: those behind it have their turn.
void begin(HeldClient client, bool enters) {
  try {
    if (enters) client.enter(client.wanted, 0);
    Session::start(std::move(client));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

WaitingClients::WaitingClients(WorkerContext& worker)
    : worker_(worker),
      for_room_(worker.environment.memory_keepers, refuse_for_memory),
      for_source_(worker.environment.memory_keepers, refuse_for_memory) {}

void WaitingClients::start(HeldClient client) {
  if (client.admit_source()) return Session::start(std::move(client));
  for_source_.add(std::move(client), worker_.loop.now());
}

void WaitingClients::wait_for_room(HeldClient&& client) {
  for_room_.add(std::move(client), worker_.loop.now());
}

void WaitingClients::admit() {
  while (!for_room_.empty() && for_room_.begin()->client.has_room()) {
    begin(for_room_.take(for_room_.begin()), true);
  }
  for (auto place = for_source_.begin(); place != for_source_.end();) {
    const auto held_back = place++;
    if (held_back->client.admit_source()) begin(for_source_.take(held_back), false);
  }
}

void WaitingClients::expire(TimePoint now) {
  for_room_.expire(now, kPatience,
                   [](HeldClient client) { Session::turn_away(std::move(client), Reason::kBusy); });
  for_source_.expire(now, kPatience, [](HeldClient client) {
    Session::turn_away(std::move(client), Reason::kClientsPerSource);
  });
}

std::optional<TimePoint> WaitingClients::next_expiry() const {
  const auto room = for_room_.next(kPatience);
  const auto source = for_source_.next(kPatience);
  return room && source ? std::min(*room, *source) : room ? room : source;
}

}  // namespace mpb
