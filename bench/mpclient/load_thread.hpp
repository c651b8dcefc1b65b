// One thread of load: its share of the clients over an epoll set of its own.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/common/connector.hpp"
#include "bench/mpclient/client_pool.hpp"
#include "bench/mpclient/request.hpp"
#include "bench/mpclient/run_state.hpp"
#include "bench/mpclient/settings.hpp"
#include "bench/mpclient/tally.hpp"

namespace mpb::load {

/// Runs the clients whose number is `index` modulo the number of threads. A raw epoll set rather
/// than EventLoop: one client is six system calls here, and its descriptor has no copies elsewhere,
/// so closing it is enough to take it out of the set.
class LoadThread {
 public:
  /// `at_once`, `witnesses`: this thread's part of the clients in flight or kept, and of those that
  /// linger behind them.
  LoadThread(const Settings& settings, RunState& run, unsigned index, std::size_t at_once,
             std::size_t witnesses);

  /// Until all clients have ended and none is left to start. Not for exceptions to leave.
  void run();

  [[nodiscard]] const Wakeup& wakeup() const { return wakeup_; }
  [[nodiscard]] const Progress& progress() const { return progress_; }
  /// Only after run() has returned.
  [[nodiscard]] const Tally& tally() const { return tally_; }
  [[nodiscard]] TimePoint last_end() const { return last_end_; }

 private:
  // load_thread.cpp: the turns, and when clients begin.
  void wait_and_handle();
  void handle(ClientIndex index, std::uint32_t events);
  void start_clients();
  void start_next(TimePoint now);
  void start_overdue();
  [[nodiscard]] bool more_to_start() const;
  [[nodiscard]] bool may_start(TimePoint now) const;
  [[nodiscard]] bool room_to_start() const;
  [[nodiscard]] TimePoint earliest_start() const;
  [[nodiscard]] TimePoint intended_start(std::uint64_t number) const;
  [[nodiscard]] TimePoint next_due() const;
  void run_queues();
  void obey();
  void move_held();
  void end_witnesses();
  void finish_kept();
  void abort_all();
  void publish();

  // load_thread_clients.cpp: the life of one client.
  void start(std::uint64_t number, TimePoint begun);
  void connect(Client& client);
  void ask(Client& client, Request request);
  void send(Client& client);
  void set_interest(Client& client, std::uint32_t events);
  void receive(Client& client);
  bool judge(Client& client, std::string_view text);
  void on_dispatched(Client& client);
  bool on_who(Client& client);
  void advance(Client& client);
  void linger(Client& client);
  void expire(Client& client);
  void fail(Client& client, Problem problem, std::string_view detail);
  void fail_errno(Client& client, int code);
  void end(Client& client, std::uint64_t& outcome, bool peer_may_live);
  void leave_owner(Client& client, bool peer_may_live);
  void enter(Client& client, Client::State state, TimePoint deadline);
  ClientQueue* queue_of(Client::State state);

  [[nodiscard]] std::optional<Client::State> resting_state() const;

  const Settings& settings_;
  RunState& run_;
  const unsigned index_;
  const Script script_;
  const std::uint64_t total_;      // clients of the whole run
  const std::uint64_t width_;      // clients of this thread on their way at once, at most
  const std::uint64_t witnesses_;  // served ones that linger, at most

  Connector connector_;
  RequestWriter writer_;
  ClientPool pool_;
  ClientQueue asking_;  // connecting too
  ClientQueue pausing_;
  ClientQueue queued_;
  ClientQueue lingering_;
  UniqueFd epoll_;
  Wakeup wakeup_;

  const TimePoint planned_end_;  // a signal may end the run before
  std::uint64_t next_number_;
  std::uint64_t on_their_way_ = 0;
  std::uint64_t lingering_count_ = 0;
  TimePoint refused_until_{};  // starts wait: nobody listens at the moment
  Order obeyed_ = Order::kRun;
  int waves_ = 1;  // asked of this thread so far
  Tally tally_;
  Progress progress_;
  TimePoint last_end_;
  std::array<char, 4096> input_{};
};

}  // namespace mpb::load
