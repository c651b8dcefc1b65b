#include "bench/mprtmp/engine.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include "bench/common/event_wait.hpp"
#include "bench/common/process.hpp"
#include "bench/common/program.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr int kEventsPerTurn = 512;
constexpr int kStartsPerTurn = 64;
constexpr std::size_t kReadBytes = 256 * 1024;
// Without a rate: clients that wait for an answer at once, so that thousands of them do not
// overflow the listen queue.
constexpr std::uint64_t kRampWidth = 64;
// A player that was there for so long and is not served when the run ends is lost.
constexpr Duration kFairChance{3'000};

std::uint64_t total_of(const Settings& settings) {
  if (!settings.play && !settings.churn) return settings.publishers();
  if (settings.clients == 0) return std::numeric_limits<std::uint64_t>::max();
  return settings.publishers() + settings.clients;
}

Traffic difference(const Traffic& now, const Traffic& before) {
  Traffic traffic;
  for (std::uint64_t Traffic::*field :
       {&Traffic::bytes_sent, &Traffic::bytes_received, &Traffic::video_sent, &Traffic::audio_sent,
        &Traffic::video_received, &Traffic::audio_received}) {
    traffic.*field = now.*field - before.*field;
  }
  return traffic;
}

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(const Settings& settings,
                                               std::uint64_t descriptors) {
  const std::uint64_t needed = descriptors_needed(settings);
  if (needed > descriptors) {
    return usage_error(
        fmt::format("{} clients at once need {} descriptors, but this process may have {}: ask for "
                    "fewer, raise the hard limit (ulimit -Hn), or run several mprtmp",
                    settings.at_once(), needed, descriptors));
  }
  std::optional<SyntheticStream> stream;
  if (settings.publish) {
    auto made = SyntheticStream::create(settings.shape);
    if (!made) return made.error();
    stream = std::move(*made);
  }
  auto engine = std::unique_ptr<Engine>(new Engine(settings, std::move(stream)));
  if (!engine->signals_ || !engine->epoll_) return system_error("signalfd or epoll set");
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(engine->epoll_.get(), EPOLL_CTL_ADD, engine->signals_.get(), &event) != 0) {
    return system_error("epoll_ctl on the signals");
  }
  return engine;
}

Engine::Engine(const Settings& settings, std::optional<SyntheticStream> stream)
    : settings_(settings),
      stream_(std::move(stream)),
      connector_(settings.target, settings.sources, settings.reset_on_close),
      total_(total_of(settings)),
      signals_(load::take_signals()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      random_(std::random_device{}()),
      hello_(rtmp::make_hello(
          settings.digest ? rtmp::HandshakeScheme::kDigest1 : rtmp::HandshakeScheme::kSimple,
          random_)),
      limits_(settings.timeout),
      begun_(Clock::now()),
      players_begun_(begun_),
      input_(kReadBytes) {
  for (std::uint32_t i = 0; i < settings.names.total(); ++i) {
    addresses_.push_back(make_address(settings.names, i, settings.target));
  }
  if (settings.duration.count() > 0) end_of_run_ = begun_ + settings.duration;
}

Report Engine::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // starts and frames are microseconds apart
  const double cpu_before = load::cpu_seconds_used();
  while (!done()) turn();
  finish();
  return make_report(load::cpu_seconds_used() - cpu_before);
}

void Engine::turn() {
  start_clients();
  check_settled();
  wait_and_handle();
  send_due_frames(Clock::now());
  limits_.expire(Clock::now(), [this](Client& client) { expire(client); });
  ended_.clear();
  check_end();
}

bool Engine::done() const {
  return finished_ || (clients_.empty() && !more_to_start()) ||
         // Publishers that are left publish for nobody.
         (settings_.churn && !more_to_start() && tally_.players.started > 0 &&
          clients_.size() == tally_.publishers.started - tally_.publishers.lost);
}

bool Engine::more_to_start() const {
  return next_number_ < total_;
}

bool Engine::room_to_start() const {
  if (!more_to_start()) return false;
  if (next_number_ < settings_.publishers()) return on_their_way_ < kRampWidth;
  if (!players_may_start_) return false;
  if (!settings_.churn) return settings_.rate > 0 || on_their_way_ < kRampWidth;
  return clients_.size() < settings_.at_once();
}

bool Engine::may_start(TimePoint now) const {
  return room_to_start() && now >= std::max(refused_until_, intended_start(next_number_));
}

/// In the past where no rate was asked for.
TimePoint Engine::intended_start(std::uint64_t number) const {
  if (settings_.rate == 0) return begun_;
  const bool player = number >= settings_.publishers();
  const std::uint64_t before = player ? number - settings_.publishers() : number;
  const std::chrono::duration<double> offset(static_cast<double>(before) / settings_.rate);
  return (player ? players_begun_ : begun_) + std::chrono::duration_cast<Clock::duration>(offset);
}

void Engine::start_clients() {
  TimePoint now = Clock::now();
  // Players come when all streams are there, or have failed to be.
  if (!players_may_start_ && next_number_ >= settings_.publishers() && on_their_way_ == 0) {
    players_may_start_ = true;
    players_begun_ = now;
  }
  for (int i = 0; i < kStartsPerTurn && may_start(now); ++i) {
    const std::uint64_t number = next_number_++;
    TimePoint begun = now;
    if (settings_.rate > 0) {
      begun = intended_start(number);
      tally_.lateness.record((now - begun).count());
    }
    start(number, begun);
    now = Clock::now();
  }
}

TimePoint Engine::next_due() const {
  TimePoint due = end_of_run_;
  if (room_to_start()) {
    due = std::min(due, std::max(refused_until_, intended_start(next_number_)));
  }
  if (const auto limit = limits_.next()) due = std::min(due, *limit);
  if (!frames_.empty()) due = std::min(due, frames_.begin()->first);
  return due;
}

void Engine::wait_and_handle() {
  std::array<epoll_event, kEventsPerTurn> events;  // NOLINT(*-member-init): the kernel fills it
  const int count = load::wait_until(epoll_.get(), events, next_due());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      interrupted_ = finished_ = true;
      continue;
    }
    auto& client = *static_cast<Client*>(event.data.ptr);
    if (!client.ended) handle(client, event.events);
    // Frames are not to wait behind the reading of thousands of players.
    if (!frames_.empty() && (i & 15) == 15) send_due_frames(Clock::now());
  }
}

void Engine::check_settled() {
  if (settled_ || settings_.churn || more_to_start() || unsettled_ > 0 || clients_.empty()) return;
  settled_ = true;
  window_begun_ = Clock::now();
  before_window_ = tally_.total;
  tally_.transit = {};
  for (const auto& client : clients_) client->view.begin_window(window_begun_);
  if (settings_.hold.count() == 0) return;
  end_of_run_ = std::min(end_of_run_, window_begun_ + settings_.hold);
  load::say(fmt::format("holding {} clients\n", clients_.size()));
}

void Engine::check_end() {
  if (Clock::now() >= end_of_run_) finished_ = true;
}

void Engine::finish() {
  const TimePoint now = Clock::now();
  if (settled_) {
    tally_.window = difference(tally_.total, before_window_);
    if (settings_.hold.count() > 0) load::say("held\n");
  }
  // Players first, so that they do not see their publishers leave.
  for (const Session::Role role : {Session::Role::kPlay, Session::Role::kPublish}) {
    for (std::size_t i = clients_.size(); i > 0; --i) {
      Client& client = *clients_[i - 1];
      if (client.role != role) continue;
      if (client.settled) {
        end(client, counts(client).served);
      } else if (!settings_.churn && now - client.begun > kFairChance) {
        fail(client, Problem::kSilent, "when the run ended");
      } else {
        end(client, counts(client).unfinished);
      }
    }
  }
  ended_.clear();
}

Report Engine::make_report(double cpu_seconds) const {
  Report report;
  report.settings = settings_;
  report.tally = tally_;
  const TimePoint now = Clock::now();
  report.seconds = seconds_between(begun_, now);
  if (settled_) report.window_seconds = seconds_between(window_begun_, now);
  report.own_load = {cpu_seconds, report.seconds, 1};
  report.interrupted = interrupted_;
  return report;
}

}  // namespace mpb::rtmp_load
