#include "bench/load/engine.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <utility>

namespace mpb::load {
namespace {

constexpr int kEventsPerTurn = 256;
// What is due is not to wait behind the reading of thousands of clients.
constexpr int kEventsAtOnce = 16;
constexpr int kStartsPerTurn = 64;
// Keeps a loop against a dead port from spinning.
constexpr Duration kPauseAfterRefusal{10};
// What a list of times adds to the one it is given.
constexpr Duration kListWait{1};

/// Waits to the nanosecond; epoll_wait(2) knows milliseconds only. TimePoint::max(): without a
/// limit. How many of `events` are filled, or -1 and errno.
int wait_until(int epoll, std::span<epoll_event> events, TimePoint due) {
  const auto wait = std::max<Clock::duration>(due - Clock::now(), Clock::duration{0});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec limit{seconds.count(), (wait - seconds).count()};
  return ::epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()),
                        due == TimePoint::max() ? nullptr : &limit, nullptr);
}

}  // namespace

Engine::Engine(const TargetSettings& settings, RunState& run, const Pace& pace)
    : run_(run),
      pace_(pace),
      connector_(settings.target, settings.sources, settings.reset_on_close),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      due_(kListWait),
      limits_(kListWait) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.fd(), &event) != 0) {
    throw std::runtime_error(system_error("epoll set of a load thread").text);
  }
}

void Engine::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // what is due may be microseconds apart
  try {
    turn_until_over();
  } catch (...) {
    failure_ = std::current_exception();
  }
  progress_.waves_settled.store(Progress::kDone);
  run_.conductor.wake();
}

std::exception_ptr Engine::failure() const {
  return progress_.waves_settled.load() == Progress::kDone ? failure_ : nullptr;
}

void Engine::turn_until_over() {
  for (;;) {
    start_clients();
    publish();
    if (is_over()) break;  // also when the last starts failed at once
    wait_and_handle();
    obey_orders();
    for (auto& connection : ended_) retire(std::move(connection));
    ended_.clear();
  }
}

bool Engine::more_to_start() const {
  return !finishing() && pace_.has_more();
}

TimePoint Engine::earliest_start() const {
  return pace_.rate > 0 ? std::max(pace_.intended(pace_.next), paused_until_) : paused_until_;
}

void Engine::start_clients() {
  TimePoint now = Clock::now();
  for (int i = 0; i < kStartsPerTurn && room_to_start() && earliest_start() <= now; ++i) {
    start_next(now);
    now = Clock::now();
  }
}

void Engine::start_next(TimePoint now) {
  const std::uint64_t number = pace_.next;
  pace_.next += pace_.step;
  TimePoint begun = now;
  if (pace_.rate > 0) {
    begun = pace_.intended(number);
    lateness_.record((now - begun).count());
  }
  start(number, begun);
}

void Engine::pause_starts() {
  paused_until_ = Clock::now() + kPauseAfterRefusal;
}

TimePoint Engine::next_due() const {
  const TimePoint start = room_to_start() ? earliest_start() : TimePoint::max();
  return std::min(
      {start, due_.next().value_or(TimePoint::max()), limits_.next().value_or(TimePoint::max())});
}

void Engine::wait_and_handle() {
  std::array<epoll_event, kEventsPerTurn> events;  // NOLINT(*-member-init): the kernel fills it
  const int count = wait_until(epoll_.get(), events, next_due());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      wakeup_.clear();
    } else if (auto& connection = *static_cast<Connection*>(event.data.ptr); !connection.ended) {
      on_events(connection, event.events);
    }
    if (i % kEventsAtOnce == kEventsAtOnce - 1) run(due_);
  }
  run(due_);
  run(limits_);
}

void Engine::run(Times& times) {
  times.expire(Clock::now(), [this](Connection& connection) { on_due(connection); });
}

void Engine::obey_orders() {
  const Order order = run_.order.load(std::memory_order_acquire);
  if (order == obeyed_) return;
  if (order == Order::kMove) ++waves_;
  obey(order);
  obeyed_ = order;
}

void Engine::publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const Counts counted = counts();
  progress_.started.store(counted.started, kRelaxed);
  progress_.served.store(counted.served, kRelaxed);
  progress_.failed.store(counted.failed, kRelaxed);
  progress_.live.store(live_.size(), kRelaxed);
  if (progress_.waves_settled.load(kRelaxed) >= waves_ || live_.empty() || more_to_start() ||
      !settled()) {
    return;
  }
  on_settled();
  progress_.waves_settled.store(waves_);
  run_.conductor.wake();
}

bool Engine::open(std::unique_ptr<Connection> connection) {
  Connection& opened = *connection;
  opened.place_ = live_.size();
  opened.watched_ = 0;
  opened.ended = false;
  live_.push_back(std::move(connection));
  opened.fd = connector_.open_socket(opened.number);
  if (opened.fd < 0) on_error(opened, errno);
  return !opened.ended;
}

int Engine::connect(const Connection& connection) const {
  const int code = connector_.begin(connection.fd);
  return code == EINPROGRESS ? 0 : code;
}

void Engine::watch(Connection& connection, std::uint32_t events) {
  if (connection.watched_ == events) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &connection;
  const int operation = connection.watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  connection.watched_ = events;
  if (::epoll_ctl(epoll_.get(), operation, connection.fd, &event) != 0) on_error(connection, errno);
}

void Engine::set_limit(Connection& connection, TimePoint limit) {
  if (limit == TimePoint::max()) return connection.stop();
  restart(limits_, connection, limit);
}

void Engine::restart(Times& times, Connection& connection, TimePoint time) {
  times.restart(connection, time - kListWait);
}

void Engine::end(Connection& connection) {
  connection.ended = true;
  connection.stop();
  if (connection.fd >= 0) connector_.close(connection.fd);
  const std::size_t place = connection.place_;
  std::swap(live_[place], live_.back());
  live_[place]->place_ = place;
  ended_.push_back(std::move(live_.back()));
  live_.pop_back();
}

}  // namespace mpb::load
