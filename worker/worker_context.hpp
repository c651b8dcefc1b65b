// What the parts of one worker share. Owned by Worker (worker/worker.hpp), which outlives them all.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/counters.hpp"
#include "common/config/worker_settings.hpp"
#include "common/io/deadline_list.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"
#include "worker/clients/client_table.hpp"
#include "worker/clients/key_table.hpp"
#include "worker/clients/session.hpp"

namespace mpb {

class WorkerEnvironment;
class Handoffs;

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
  DeadlineList<Session> route{Duration{0}};
  DeadlineList<Session> linger{Duration{1'000}};
  // A single process that is full may have yet to read that a client has left.
  DeadlineList<Session> room{Duration{200}};
  DeadlineList<Session> source{Duration{200}};  // the same of its address's part

  void configure(const WorkerSettings& settings) {
    silence.set_wait(most_silence(settings));
    header.set_wait(settings.header_timeout);
    idle.set_wait(settings.idle_timeout);
    send.set_wait(settings.send_timeout);
    route.set_wait(settings.route_timeout);
  }
  [[nodiscard]] std::array<DeadlineList<Session>*, 8> all() {
    return {&silence, &header, &idle, &send, &route, &linger, &room, &source};
  }
};

struct WorkerContext {
  explicit WorkerContext(EventLoop& event_loop) : loop(event_loop), keys(Duration{1'000}) {}

  EventLoop& loop;
  WorkerSettings settings;
  std::uint16_t slot = 0;
  std::uint32_t window = 0;  // handoffs that may be without a verdict
  SessionDeadlines deadlines;
  ClientTable clients;
  KeyTable keys;
  WorkerEnvironment* environment = nullptr;  // set by the owner, before any client comes
  Handoffs* handoffs = nullptr;              // null: single process, every key is this worker's
  bool draining = false;
  std::uint64_t accept_pauses = 0;
  TimePoint wary_until{};     // see Connection::wary
  RateBucket blocking_lines;  // about clients that others made to wait

  // Scratch of one read and the answers to it; empty between sessions.
  std::array<char, 64 * 1024> read_buffer{};
  std::string answers;
};

}  // namespace mpb
