// Boost.Asio in the thread of an event loop: coroutines, timers, sockets, SSL, beside what the loop
// does itself. docs/decisions/0031 has why and how.
//
// Asio's epoll set is watched by the loop's, so the process sleeps in the loop's alone. All that is
// due in the context runs at the end of a turn, up to a bound, so that neither side starves the
// other.
//
// Two things to know of Asio's sockets here. Their close() does not take them out of Asio's epoll
// set: one that another process may hold a copy of must be taken back first (release(), then our
// own close). And a process with a living context must not fork, unless to exec at once.
#pragma once

#include <cstdint>
#include <memory>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"

namespace mpb {

class AsioHost final : private EventHandler {
 public:
  static constexpr int kHandlersPerTurn = 256;

  /// Throws std::runtime_error when the loop cannot watch one more descriptor. The loop must
  /// outlive the host.
  explicit AsioHost(EventLoop& loop);
  AsioHost(const AsioHost&) = delete;
  AsioHost& operator=(const AsioHost&) = delete;
  /// What waits in the context is destroyed with it, and is not called.
  ~AsioHost();

  /// Its handlers run in the loop's thread, never within the call that made them ready. Any thread
  /// may post to it, and wakes the loop. It has no end: run() and poll() are not to be called, and
  /// stop() does nothing. What a handler throws is logged, and the others go on.
  [[nodiscard]] boost::asio::io_context& context() { return context_; }

 private:
  void on_events(std::uint32_t) override { due_ = true; }  // the turn's end follows
  void poll();
  bool run_one();
  void log_failure(const char* why);
  /// Whether handlers wait in the context. From now on a post of any thread wakes the loop.
  bool has_posts();

  EventLoop& loop_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  bool due_ = false;
  Watch watch_;
  RateBucket failures_;
  std::shared_ptr<AsioHost*> self_;  // for the loop's hook, which outlives the host
};

}  // namespace mpb
