#include "bench/mpclient/conductor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "bench/common/process.hpp"
#include "bench/common/program.hpp"

namespace mpb::load {
namespace {

constexpr Duration kGraceAfterSignal{1000};
constexpr Duration kProgressInterval{500};
// So that all threads are up when the first clients of an open loop are due.
constexpr Duration kStartAhead{5};

/// Clients at once, all threads together.
Result<std::uint64_t> clients_at_once(const Settings& settings, std::uint64_t descriptors) {
  const std::uint64_t needed = descriptors_needed(settings);
  if (needed > descriptors) {
    return usage_error(
        fmt::format("{} clients at once need {} descriptors, but this process may have {}: ask for "
                    "fewer, raise "
                    "the hard limit (ulimit -Hn), or run several mpclient",
                    keeps_clients(settings.mode) ? settings.clients : settings.concurrency, needed,
                    descriptors));
  }
  if (keeps_clients(settings.mode)) return settings.clients;
  if (settings.concurrency > 0) return settings.concurrency;
  Settings one = settings;
  one.concurrency = 1;
  const std::uint64_t own = descriptors_needed(one);
  if (own > descriptors) return usage_error(fmt::format("{} descriptors are too few", descriptors));
  constexpr std::uint64_t kEnough = 100'000;
  return std::min(descriptors - own + 1, kEnough);
}

}  // namespace

Result<std::unique_ptr<Conductor>> Conductor::create(const Settings& settings,
                                                     std::uint64_t descriptors) {
  const auto clients = clients_at_once(settings, descriptors);
  if (!clients) return clients.error();
  Settings adjusted = settings;
  if (adjusted.threads > *clients) adjusted.threads = static_cast<unsigned>(*clients);
  return std::unique_ptr<Conductor>(new Conductor(std::move(adjusted), *clients));
}

Conductor::Conductor(Settings settings, std::size_t clients_at_once)
    : settings_(std::move(settings)),
      signals_(take_signals()),
      terminal_(::isatty(STDERR_FILENO) == 1),
      last_progress_(Clock::now()) {
  run_.start = Clock::now() + kStartAhead;
  for (unsigned i = 0; i < settings_.threads; ++i) {
    const auto share = [&](std::uint64_t all) {
      return static_cast<std::size_t>((all + settings_.threads - 1 - i) / settings_.threads);
    };
    loads_.push_back(std::make_unique<LoadThread>(settings_, run_, i, share(clients_at_once),
                                                  share(witnesses(settings_))));
  }
}

Report Conductor::run() {
  const double cpu_before = cpu_seconds_used();
  start_threads();
  while (!all_at_least(Progress::kDone)) turn();
  threads_.clear();
  clear_progress();
  return make_report(cpu_seconds_used() - cpu_before);
}

void Conductor::start_threads() {
  wave_start_ = run_.start;
  if (settings_.duration.count() > 0) end_of_duration_ = run_.start + settings_.duration;
  if (terminal_) next_progress_ = run_.start + kProgressInterval;
  for (const auto& load : loads_) {
    threads_.emplace_back([this, &load] {
      std::this_thread::sleep_until(run_.start);
      load->run();
    });
  }
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
  if (waves_seen_ < waves_ && keeps_clients(settings_.mode) && all_at_least(waves_)) on_settled();
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
    if (interrupted_) {
      give(Order::kAbort);
    } else {
      interrupted_ = true;
      finish(kGraceAfterSignal);
    }
  }
}

// Every client of the wave is answered, or has failed.
void Conductor::on_settled() {
  ++waves_seen_;
  if (run_.order.load() >= Order::kFinish || all_at_least(Progress::kDone)) return;
  if (settings_.mode == Mode::kPaced) return;
  (waves_seen_ == 1 ? first_wave_seconds_ : second_wave_seconds_) = seconds_since(wave_start_);
  if (settings_.mode == Mode::kStorm) {
    if (waves_seen_ == 2) return finish(Duration{0});
    if (settings_.hold.count() == 0) return on_held_long_enough();
  }
  clear_progress();
  say(fmt::format("holding {} clients\n", sum(&Progress::live)));
  end_of_hold_ = Clock::now() + settings_.hold;
}

void Conductor::on_held_long_enough() {
  end_of_hold_ = TimePoint::max();
  if (settings_.mode != Mode::kStorm) return finish(Duration{0});
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
  for (const auto& load : loads_) load->wakeup().wake();
}

bool Conductor::all_at_least(int waves) const {
  return std::all_of(loads_.begin(), loads_.end(), [&](const auto& load) {
    return load->progress().waves_settled.load() >= waves;
  });
}

std::uint64_t Conductor::sum(std::atomic<std::uint64_t> Progress::*counter) const {
  std::uint64_t total = 0;
  for (const auto& load : loads_) {
    total += (load->progress().*counter).load(std::memory_order_relaxed);
  }
  return total;
}

double Conductor::seconds_since(TimePoint start) const {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Conductor::show_progress() {
  const std::uint64_t served = sum(&Progress::served);
  const double rate = static_cast<double>(served - last_served_) / seconds_since(last_progress_);
  say(fmt::format("\r{} started, {} served ({:.0f}/s), {} connected, {} failed\x1b[K",
                  sum(&Progress::started), served, rate, sum(&Progress::live),
                  sum(&Progress::failed)));
  std::fflush(stderr);
  last_served_ = served;
  last_progress_ = Clock::now();
  next_progress_ = last_progress_ + kProgressInterval;
}

void Conductor::clear_progress() {
  if (!terminal_) return;
  say("\r\x1b[K");
  std::fflush(stderr);
}

Report Conductor::make_report(double cpu_seconds) const {
  Report report;
  report.settings = settings_;
  TimePoint last_end = run_.start;
  for (const auto& load : loads_) {
    report.tally.merge(load->tally());
    last_end = std::max(last_end, load->last_end());
  }
  report.seconds = std::chrono::duration<double>(last_end - run_.start).count();
  report.wall_seconds = seconds_since(run_.start);
  report.cpu_seconds = cpu_seconds;
  report.first_wave_seconds = first_wave_seconds_;
  report.second_wave_seconds = second_wave_seconds_;
  report.interrupted = interrupted_;
  return report;
}

}  // namespace mpb::load
