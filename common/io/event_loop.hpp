// A single-threaded epoll loop (epoll(7)): descriptors, timers, and a hook at the end of each turn.
//
// Not Boost.Asio, because the dispatch path needs three things it does not give: EPOLLEXCLUSIVE on
// a shared listener, an explicit EPOLL_CTL_DEL before a socket that lives on elsewhere is closed,
// and "end of this turn" as the moment at which batches go out. docs/decisions/0001 has figures.
#pragma once

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/base/units.hpp"
#include "common/io/turn_guard.hpp"

namespace mpb {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Something that waits for a descriptor. It must stay alive until EventLoop::remove.
class EventHandler {
 public:
  /// `events`: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, ... as epoll_ctl(2) defines them.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~EventHandler() = default;
};

/// One registration of a descriptor; a default-made one stands for "not registered".
struct Watch {
  std::uint32_t slot = UINT32_MAX;
  [[nodiscard]] bool active() const { return slot != UINT32_MAX; }
};

class EventLoop {
 public:
  /// Events that have not been handled by then wait for the next turn: whoever has many clients
  /// that ask for much answers others in between.
  static constexpr Duration kLongestTurn{50};

  using TimerId = std::pair<TimePoint, std::uint64_t>;

  /// Throws std::runtime_error when the kernel has no descriptor for the epoll instance.
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Level-triggered unless `events` says EPOLLET. The loop never owns the descriptor.
  Result<Watch> add(int fd, std::uint32_t events, EventHandler& handler);
  Status modify(Watch watch, int fd, std::uint32_t events);
  /// Must come before the descriptor is closed: a socket with copies elsewhere stays in the epoll
  /// set otherwise. Events of `fd` that wait in the current turn are dropped. Clears `watch`.
  void remove(Watch& watch, int fd);
  /// It is looked at in every turn, also while events of others wait since a turn before: see
  /// kLongestTurn. `fd` is that of `watch`, until the watch ends.
  void put_first(const Watch& watch, int fd);
  /// The same as remove() without the system call, for a descriptor of which nobody else holds a
  /// copy and that the caller closes at once: the kernel takes it out of the set then.
  void forget(Watch& watch);

  /// Calls `action` once, `delay` from now. Timers may be cancelled, also from within a timer.
  TimerId after(Duration delay, std::function<void()> action);
  /// Unknown and past ids are ignored.
  void cancel(const TimerId& id);

  /// `hook` runs at the end of each turn, before the loop waits again.
  void at_turn_end(std::function<void()> hook) { turn_end_hooks_.push_back(std::move(hook)); }
  /// The next wait returns at once, so that work left over from this turn goes on in the next.
  void skip_wait() { skip_wait_ = true; }

  /// The time at which this turn began.
  [[nodiscard]] TimePoint now() const { return now_; }

  /// Turns until stop() is called. A system call that waits for longer than a turn may take fails
  /// with EINTR: see common/io/turn_guard.hpp.
  void run();
  void stop() { stopped_ = true; }
  /// One turn: waits at most `limit` for events or a timer and handles what came.
  void turn(Duration limit);

 private:
  struct Slot {
    EventHandler* handler = nullptr;
    std::uint32_t generation = 0;
    bool first = false;
  };
  static constexpr int kEventsPerTurn = 256;

  void run_timers();
  void fetch_events(Duration limit);
  void handle_events();
  void handle(const epoll_event& event);
  void look_at_first();
  [[nodiscard]] int wait_ms(Duration limit) const;
  [[nodiscard]] epoll_event make_event(std::uint32_t slot, std::uint32_t events) const;

  [[nodiscard]] bool timer_is_due() const;

  UniqueFd epoll_;
  TurnGuard guard_;
  bool guarded_ = false;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<pollfd> first_;              // see put_first()
  std::vector<std::uint64_t> first_data_;  // as epoll has it, of each
  std::vector<epoll_event> first_ready_;   // scratch
  std::array<epoll_event, kEventsPerTurn> events_{};
  int next_event_ = 0;
  int event_count_ = 0;
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t next_timer_ = 0;
  std::deque<std::function<void()>> turn_end_hooks_;  // a hook that adds one must not move
  TimePoint now_ = Clock::now();
  bool stopped_ = false;
  bool skip_wait_ = false;
};

}  // namespace mpb
