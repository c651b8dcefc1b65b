#include "bench/load/conductor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

#include "bench/load/program.hpp"

namespace mpb::load {
namespace {

constexpr Duration kGraceAfterSignal{1000};
constexpr Duration kProgressInterval{500};
// So that all threads are up when the first clients of an open loop are due.
constexpr Duration kStartAhead{5};

/// User and system time of all threads so far.
double cpu_seconds_used() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A signalfd(2). Blocks them in this thread, and so in all that it starts.
UniqueFd take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

double seconds_since(TimePoint start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// To the terminal, control characters as they are.
void draw(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

Conductor::Conductor(const Plan& plan)
    : plan_(plan),
      signals_(take_signals()),
      terminal_(plan.progress && ::isatty(STDERR_FILENO) == 1),
      last_progress_(Clock::now()) {
  run_.start = Clock::now() + kStartAhead;
}

RunTimes Conductor::run(const std::vector<Engine*>& engines) {
  engines_ = engines;
  const double cpu_before = cpu_seconds_used();
  wave_start_ = run_.start;
  if (plan_.duration.count() > 0) end_of_duration_ = run_.start + plan_.duration;
  if (terminal_) next_progress_ = run_.start + kProgressInterval;
  std::vector<std::jthread> threads;
  for (Engine* engine : engines_) {
    threads.emplace_back([this, engine] {
      std::this_thread::sleep_until(run_.start);
      engine->run();
    });
  }
  while (!all_at_least(Progress::kDone)) turn();
  threads.clear();
  clear_progress();
  for (const Engine* engine : engines_) {
    if (const auto failure = engine->failure()) std::rethrow_exception(failure);
  }
  times_.wall_seconds = seconds_since(run_.start);
  times_.cpu_seconds = cpu_seconds_used() - cpu_before;
  return times_;
}

void Conductor::turn() {
  const TimePoint due = next_due();
  int wait = -1;
  if (due != TimePoint::max()) {
    const auto left = std::chrono::ceil<Duration>(due - Clock::now());
    wait = static_cast<int>(std::clamp(left, Duration{0}, Duration{60'000}).count());
  }
  pollfd waits[] = {{signals_.get(), POLLIN, 0}, {run_.conductor.fd(), POLLIN, 0}};
  ::poll(waits, 2, wait);
  if (waits[0].revents != 0) on_signal();
  if (waits[1].revents != 0) run_.conductor.clear();
  const auto failed = [](const Engine* engine) { return engine->failure() != nullptr; };
  if (std::any_of(engines_.begin(), engines_.end(), failed)) give(Order::kAbort);
  if (waves_seen_ < waves_ && all_at_least(waves_)) on_settled();
  const TimePoint now = Clock::now();
  if (now >= end_of_duration_) finish(Duration{0});
  if (now >= end_of_hold_) on_held_long_enough();
  if (now >= end_of_grace_) give(Order::kAbort);
  if (now >= next_progress_) show_progress();
}

TimePoint Conductor::next_due() const {
  return std::min({end_of_duration_, end_of_hold_, end_of_grace_, next_progress_});
}

void Conductor::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (times_.interrupted) {
      give(Order::kAbort);
    } else {
      times_.interrupted = true;
      finish(kGraceAfterSignal);
    }
  }
}

// Every client of the wave is answered, or has failed.
void Conductor::on_settled() {
  ++waves_seen_;
  if (run_.order.load() >= Order::kFinish || all_at_least(Progress::kDone)) return;
  if (plan_.then == Plan::Then::kGoOn) return;
  const bool first = waves_seen_ == 1;
  (first ? times_.first_wave_seconds : times_.second_wave_seconds) = seconds_since(wave_start_);
  if (!first) return finish(Duration{0});
  if (plan_.hold.count() == 0) return on_held_long_enough();
  clear_progress();
  say(fmt::format("holding {} clients\n", sum(&Progress::live)));
  end_of_hold_ = Clock::now() + plan_.hold;
}

void Conductor::on_held_long_enough() {
  end_of_hold_ = TimePoint::max();
  if (plan_.then != Plan::Then::kHoldAndMove) return finish(Duration{0});
  ++waves_;
  wave_start_ = Clock::now();
  give(Order::kMove);
}

// Without a grace, clients in flight have as long as their timeouts allow.
void Conductor::finish(Duration grace) {
  if (run_.order.load() < Order::kFinish) run_.end = std::min(Clock::now(), end_of_duration_);
  end_of_duration_ = end_of_hold_ = TimePoint::max();
  if (grace.count() > 0) end_of_grace_ = Clock::now() + grace;
  give(Order::kFinish);
}

void Conductor::give(Order order) {
  if (order == Order::kAbort) end_of_grace_ = TimePoint::max();
  if (order <= run_.order.load()) return;
  run_.order.store(order, std::memory_order_release);
  for (const Engine* engine : engines_) engine->wakeup().wake();
}

bool Conductor::all_at_least(int waves) const {
  return std::all_of(engines_.begin(), engines_.end(), [&](const Engine* engine) {
    return engine->progress().waves_settled.load() >= waves;
  });
}

std::uint64_t Conductor::sum(std::atomic<std::uint64_t> Progress::*counter) const {
  std::uint64_t total = 0;
  for (const Engine* engine : engines_) {
    total += (engine->progress().*counter).load(std::memory_order_relaxed);
  }
  return total;
}

void Conductor::show_progress() {
  const std::uint64_t served = sum(&Progress::served);
  const double rate = static_cast<double>(served - last_served_) / seconds_since(last_progress_);
  draw(fmt::format("\r{} started, {} served ({:.0f}/s), {} connected, {} failed\x1b[K",
                   sum(&Progress::started), served, rate, sum(&Progress::live),
                   sum(&Progress::failed)));
  last_served_ = served;
  last_progress_ = Clock::now();
  next_progress_ = last_progress_ + kProgressInterval;
}

void Conductor::clear_progress() const {
  if (terminal_) draw("\r\x1b[K");
}

}  // namespace mpb::load
