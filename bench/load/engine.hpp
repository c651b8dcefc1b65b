// One thread of load: its clients over an epoll set of its own. It starts them, waits for them and
// knows when each is due; a load client derives from it and supplies what its clients say.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "bench/load/common_options.hpp"
#include "bench/load/connection.hpp"
#include "bench/load/connector.hpp"
#include "bench/load/histogram.hpp"
#include "bench/load/pace.hpp"
#include "bench/load/run_state.hpp"

namespace mpb::load {

/// A raw epoll set rather than EventLoop: a client is few system calls here, and its descriptor has
/// no copies elsewhere, so closing it is enough to take it out of the set.
class Engine {
 public:
  Engine(const TargetSettings& settings, RunState& run, const Pace& pace);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Until all clients have ended and none is left to start, or something was thrown.
  void run();
  /// What was thrown in run(), once that has ended; else null.
  [[nodiscard]] std::exception_ptr failure() const;

  [[nodiscard]] const Wakeup& wakeup() const { return wakeup_; }
  [[nodiscard]] const Progress& progress() const { return progress_; }

 protected:
  struct Counts {
    std::uint64_t started = 0;
    std::uint64_t served = 0;
    std::uint64_t failed = 0;
  };

  // What a load client supplies.
  /// To begin a client: open() and connect(), or more of them later.
  virtual void start(std::uint64_t number, TimePoint begun) = 0;
  virtual void on_events(Connection& connection, std::uint32_t events) = 0;
  /// The time of set_due() or set_limit() has come; it has none any more.
  virtual void on_due(Connection& connection) = 0;
  /// A call for it failed with `code`, an errno; it is to be ended.
  virtual void on_error(Connection& connection, int code) = 0;
  /// Whether one more client may start now, if there is one.
  [[nodiscard]] virtual bool has_room() const = 0;
  /// Whether all clients of the wave that was ordered last have what they came for. Not asked
  /// again for the same wave once they have.
  [[nodiscard]] virtual bool settled() const = 0;
  virtual void on_settled() {}
  /// An order that was not given before.
  virtual void obey(Order order) = 0;
  /// Asked once a turn; what is left is ended by then.
  virtual bool is_over() { return live_.empty() && !more_to_start(); }
  /// For people who watch the run.
  [[nodiscard]] virtual Counts counts() const { return {}; }
  /// `connection` has ended and is named nowhere any more.
  virtual void retire(std::unique_ptr<Connection> connection) { connection.reset(); }

  // Clients.
  /// Takes `connection` among those that live, and opens its socket. False: it has ended.
  [[nodiscard]] bool open(std::unique_ptr<Connection> connection);
  /// Begins to connect: 0 or an errno as Connector::begin, but EINPROGRESS is none. Over loopback
  /// the connection stands by then.
  [[nodiscard]] int connect(const Connection& connection) const;
  void watch(Connection& connection, std::uint32_t events);
  // A client has one time at most: each of these takes the place of the one before.
  /// When it is to send or to connect. That does not wait behind the reading of thousands.
  void set_due(Connection& connection, TimePoint due) { restart(due_, connection, due); }
  /// When its time is over; TimePoint::max(): never. What has come by then is read first.
  void set_limit(Connection& connection, TimePoint limit);
  [[nodiscard]] static std::uint32_t watched(const Connection& connection) {
    return connection.watched_;
  }
  void end(Connection& connection);
  /// Calls `visit(Connection&)` for each that lives; it may end that one.
  template <class F>
  void for_each(F&& visit) {
    for (std::size_t i = live_.size(); i > 0; --i) visit(*live_[i - 1]);
  }
  [[nodiscard]] std::size_t live() const { return live_.size(); }

  // Starts.
  [[nodiscard]] bool more_to_start() const;
  [[nodiscard]] bool room_to_start() const { return more_to_start() && has_room(); }
  void start_next(TimePoint now);
  /// Nobody listens at the moment: the next start waits a little.
  void pause_starts();
  [[nodiscard]] bool finishing() const { return obeyed_ >= Order::kFinish; }
  [[nodiscard]] const RunState& run_state() const { return run_; }
  [[nodiscard]] Pace& pace() { return pace_; }
  [[nodiscard]] const Pace& pace() const { return pace_; }
  /// With a rate: from the intended to the real start.
  [[nodiscard]] const Histogram& lateness() const { return lateness_; }

 private:
  using Times = DeadlineList<Connection>;

  void turn_until_over();
  static void restart(Times& times, Connection& connection, TimePoint time);
  void start_clients();
  [[nodiscard]] TimePoint earliest_start() const;
  [[nodiscard]] TimePoint next_due() const;
  void run(Times& times);
  void wait_and_handle();
  void obey_orders();
  void publish();

  RunState& run_;
  Pace pace_;
  Connector connector_;
  UniqueFd epoll_;
  Wakeup wakeup_;
  std::vector<std::unique_ptr<Connection>> live_;
  std::vector<std::unique_ptr<Connection>> ended_;
  Times due_;
  Times limits_;
  TimePoint paused_until_{};
  Order obeyed_ = Order::kRun;
  int waves_ = 1;  // asked of this thread so far
  Histogram lateness_;
  Progress progress_;
  std::exception_ptr failure_;  // before progress_ says that it has ended
};

}  // namespace mpb::load
