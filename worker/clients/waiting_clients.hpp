// The clients that wait for a place in this worker: one that is full and has nobody else for them
// may have yet to read that another has left, and so may one that has too many from an address.
#pragma once

#include <optional>

#include "worker/clients/client_queue.hpp"

namespace mpb {

struct WorkerContext;

class WaitingClients {
 public:
  explicit WaitingClients(WorkerContext& worker);

  /// Begins with the client, unless too many from its address are here: then it is held back.
  void start(HeldClient client);
  /// Whether one more may be held back that can as well be refused.
  [[nodiscard]] bool may_hold_back() const { return for_source_.size() < kMostHeldBack; }
  /// The client is served once there is a place. std::bad_alloc: it was not taken.
  void wait_for_room(HeldClient&& client);

  /// At the end of a turn: those who came first, as far as there are places now.
  void admit();
  /// Refuses those that have waited too long.
  void expire(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;

 private:
  static constexpr std::size_t kMostHeldBack = 64;

  WorkerContext& worker_;
  ClientQueue for_room_;
  ClientQueue for_source_;
};

}  // namespace mpb
