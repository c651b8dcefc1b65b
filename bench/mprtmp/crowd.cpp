#include "bench/mprtmp/crowd.hpp"

#include <fmt/format.h>

#include "bench/load/program.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
// Without a rate: clients that wait for an answer at once, so that thousands of them do not
// overflow the listen queue.
constexpr std::uint64_t kRampWidth = 64;
// A player that was there for so long and is not served when the run ends is lost.
constexpr Duration kFairChance{3'000};

/// Publishers first.
load::Pace pace_of(const Settings& settings, const load::RunState& run) {
  load::Pace pace;
  pace.rate = settings.rate;
  pace.origin = run.start;
  if (!settings.play && !settings.churn) {
    pace.total = settings.publishers();
  } else if (settings.clients > 0) {
    pace.total = settings.publishers() + settings.clients;
  }
  return pace;
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

Crowd::Crowd(const Settings& settings, load::RunState& run, const SyntheticStream* stream)
    : Engine(settings, run, pace_of(settings, run)),
      settings_(settings),
      stream_(stream),
      random_(std::random_device{}()),
      hello_(rtmp::make_hello(
          settings.digest ? rtmp::HandshakeScheme::kDigest1 : rtmp::HandshakeScheme::kSimple,
          random_)),
      players_may_start_(settings.publishers() == 0),
      input_(kReadBytes) {
  for (std::uint32_t i = 0; i < settings.names.total(); ++i) {
    addresses_.push_back(make_address(settings.names, i, settings.target));
  }
}

bool Crowd::has_room() const {
  if (pace().next < settings_.publishers()) return on_their_way_ < kRampWidth;
  if (!players_may_start_) return false;
  if (!settings_.churn) return settings_.rate > 0 || on_their_way_ < kRampWidth;
  return live() < settings_.at_once();
}

/// One less is on its way. Players come when all streams are there, or have failed to be.
void Crowd::arrived() {
  --on_their_way_;
  if (players_may_start_ || pace().next < settings_.publishers() || on_their_way_ > 0) return;
  players_may_start_ = true;
  pace().origin = Clock::now();
  pace().first = settings_.publishers();
}

bool Crowd::settled() const {
  return !settings_.churn && unsettled_ == 0;
}

void Crowd::on_settled() {
  settled_ = true;
  window_begun_ = Clock::now();
  before_window_ = tally_.total;
  tally_.transit = {};
  for_each([&](load::Connection& connection) {
    static_cast<Client&>(connection).view.begin_window(window_begun_);
  });
}

bool Crowd::is_over() {
  // Publishers that are left publish for nobody.
  const bool deserted = settings_.churn && !more_to_start() && tally_.players.started > 0 &&
                        live() == tally_.publishers.started - tally_.publishers.lost;
  if (!finished_ && (Engine::is_over() || deserted)) finish();
  return finished_;
}

void Crowd::obey(load::Order order) {
  if (order >= load::Order::kFinish && !finished_) finish();
}

void Crowd::finish() {
  finished_ = true;
  const TimePoint now = Clock::now();
  if (settled_) {
    tally_.window = difference(tally_.total, before_window_);
    if (settings_.hold.count() > 0) load::say("held\n");
  }
  // Players first, so that they do not see their publishers leave.
  for (const Session::Role role : {Session::Role::kPlay, Session::Role::kPublish}) {
    for_each([&](load::Connection& connection) {
      auto& client = static_cast<Client&>(connection);
      if (client.role != role) return;
      if (client.settled) {
        end(client, counts_of(client).served);
      } else if (!settings_.churn && now - client.begun > kFairChance) {
        fail(client, Problem::kSilent, "when the run ended");
      } else {
        end(client, counts_of(client).unfinished);
      }
    });
  }
}

Report Crowd::report(const load::RunTimes& times) const {
  Report report;
  report.settings = settings_;
  report.tally = tally_;
  report.tally.lateness = lateness();
  report.seconds = times.wall_seconds;
  if (settled_)
    report.window_seconds = times.wall_seconds - seconds_between(run_state().start, window_begun_);
  report.own_load = {times.cpu_seconds, times.wall_seconds, 1};
  report.interrupted = times.interrupted;
  return report;
}

}  // namespace mpb::rtmp_load
