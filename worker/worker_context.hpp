// What the parts of one worker share. Owned by Worker (worker/worker.hpp), which outlives them all.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/counters.hpp"
#include "common/config/worker_settings.hpp"
#include "common/io/deadline_list.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"
#include "worker/clients/client_table.hpp"
#include "worker/clients/held_client.hpp"
#include "worker/clients/key_table.hpp"
#include "worker/clients/session.hpp"

namespace mpb {

class WorkerEnvironment;
class WaitingClients;

/// How long a client may say nothing at all.
inline Duration most_silence(const WorkerSettings& settings) {
  constexpr Duration kForEver = std::chrono::hours(24 * 365 * 100);
  Duration most = kForEver;
  for (const Duration limit : {settings.silence_timeout, settings.idle_timeout}) {
    if (limit.count() != 0) most = std::min(most, limit);
  }
  return most;
}

/// One list for each thing a session may wait for; a session waits for one at a time.
struct SessionDeadlines {
  /// Clients that have said nothing yet, the oldest first, also when no limit ends them.
  DeadlineList<Session> silence{Duration{0}};
  DeadlineList<Session> header{Duration{0}};
  DeadlineList<Session> idle{Duration{0}};
  DeadlineList<Session> send{Duration{0}};
  DeadlineList<Session> linger{Duration{1'000}};

  void configure(const WorkerSettings& settings) {
    silence.set_wait(most_silence(settings));
    header.set_wait(settings.header_timeout);
    idle.set_wait(settings.idle_timeout);
    send.set_wait(settings.send_timeout);
  }
  [[nodiscard]] std::array<DeadlineList<Session>*, 5> all() {
    return {&silence, &header, &idle, &send, &linger};
  }
};

struct WorkerContext {
  WorkerContext(EventLoop& event_loop, WorkerEnvironment& of)
      : loop(event_loop), environment(of), keys(Duration{1'000}) {}

  /// Of clients that are offered: another broker may ask what became of them.
  [[nodiscard]] bool notes_counts() const {
    return settings.after_broker == static_cast<std::uint32_t>(AfterBroker::kFollowers);
  }

  EventLoop& loop;
  WorkerEnvironment& environment;
  WorkerSettings settings;
  std::uint16_t slot = 0;
  std::uint32_t window = 0;  // handoffs that may be without a verdict
  SessionDeadlines deadlines;
  ClientTable clients;
  KeyTable keys;
  WaitingClients* waiting = nullptr;  // set by the owner, before any client comes
  /// Likewise: takes a client that is not to be served here for now; where std::bad_alloc is thrown
  /// it was not taken. Begins no session.
  std::function<void(HeldClient&&)> give_away;
  bool alone = true;  // a single process: every key is this worker's
  bool draining = false;
  bool ends = false;  // no guard of a turn would end a close(2) that waits
  std::uint64_t accept_pauses = 0;
  TimePoint wary_until{};     // see Connection::wary
  RateBucket blocking_lines;  // about clients that others made to wait

  // Scratch of one read and the replies to it.
  using ReadBuffer = std::array<char, 64 * 1024>;
  std::unique_ptr<ReadBuffer> read_buffer = std::make_unique_for_overwrite<ReadBuffer>();
  std::string replies;
};

}  // namespace mpb
