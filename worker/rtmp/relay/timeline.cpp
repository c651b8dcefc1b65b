#include "worker/rtmp/relay/timeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace mpb::rtmp {
namespace {

constexpr std::int32_t kMaxBack = 1'000;     // ms: a clock that goes back further has jumped
constexpr std::int64_t kFirstStep = 60'000;  // ms: while a track's pace is unknown
constexpr std::int64_t kUsualSteps = 3;      // what a step may be, in those before
constexpr std::int64_t kHasteOfSenders = 2;  // how much faster than real time one sends
constexpr std::uint32_t kAfterJump = 10;     // ms, as SRS has it
constexpr std::uint32_t kForget = 8;         // steps until a long one counts for less

/// From `from` to `to`: times wrap.
std::int32_t step_between(std::uint32_t from, std::uint32_t to) {
  return static_cast<std::int32_t>(to - from);
}

std::int64_t distance(std::uint32_t one, std::uint32_t other) {
  return std::abs(std::int64_t{step_between(one, other)});
}

bool near(std::uint32_t one, std::uint32_t other) {
  return distance(one, other) <= kMaxApart;
}

}  // namespace

void Timeline::restart() {
  clocks_ = {};
  leader_.reset();
}

void Timeline::note(std::uint32_t time) {
  if (!ever_ || step_between(latest_, time) > 0) latest_ = time;
  ever_ = true;
}

std::uint32_t Timeline::behind_latest() const {
  return ever_ ? latest_ + kAfterJump : 0;
}

/// Whether a clock may go so far at once: because other tracks are there, or the sender took its
/// time, or it goes so far at each step.
bool Timeline::may_step(const Clock& clock, std::int32_t step, std::uint32_t time,
                        TimePoint now) const {
  if (step < -kMaxBack) return false;
  if (step <= kMaxApart || near(time, latest_)) return true;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - clock.arrived);
  const bool unknown = clock.state == Clock::State::kRuns && clock.usual == 0;
  return step <= std::max({kMaxApart + kHasteOfSenders * waited.count(),
                           kUsualSteps * std::int64_t{clock.usual}, unknown ? kFirstStep : 0});
}

/// The time by the leader's shift, if the leader is there.
std::optional<std::uint32_t> Timeline::as_leader(Lane lane, std::uint32_t raw) const {
  if (!leader_ || *leader_ == lane) return std::nullopt;
  const Clock& leader = clocks_[*leader_];
  const std::uint32_t time = raw + leader.shift;
  return near(time, leader.last) || near(time, latest_) ? std::optional(time) : std::nullopt;
}

std::uint32_t Timeline::place(Lane lane, std::uint32_t raw, TimePoint now) {
  Clock& clock = clocks_[lane];
  if (clock.state != Clock::State::kUnused) {
    const std::uint32_t time = raw + clock.shift;
    const std::int32_t step = step_between(clock.last, time);
    if (step >= -kMaxBack && step <= kMaxBack) return time;
    const bool may = may_step(clock, step, time, now);
    const auto led = as_leader(lane, raw);
    if (led && (!may || distance(clock.last, *led) < distance(clock.last, time))) {
      clock.shift = *led - raw;
      return *led;
    }
    if (may) return time;
    leader_ = lane;
    const bool runs = clock.state == Clock::State::kRuns && near(clock.last, latest_);
    const std::uint32_t on = runs ? clock.last + kAfterJump : behind_latest();
    clock.shift = on - raw;
    return on;
  }
  const auto led = as_leader(lane, raw);
  const std::uint32_t time = led.value_or(behind_latest());
  clock.shift = time - raw;
  return time;
}

std::uint32_t Timeline::media(Lane lane, bool header, std::uint32_t raw, TimePoint now) {
  Clock& clock = clocks_[lane];
  if (header && clock.state != Clock::State::kUnused) {
    const std::int32_t step = step_between(clock.last, raw + clock.shift);
    return step >= 0 && step <= kMaxBack ? raw + clock.shift : clock.last;
  }
  const std::uint32_t time = place(lane, raw, now);
  const std::int32_t step = step_between(clock.last, time);
  if (clock.state == Clock::State::kRuns && step > 0) {
    clock.usual = std::max(static_cast<std::uint32_t>(step), clock.usual - clock.usual / kForget);
  }
  clock.state = header ? Clock::State::kHeader : Clock::State::kRuns;
  // Frames know the publisher's time better than headers do.
  const bool led = leader_ && (header || clocks_[*leader_].state == Clock::State::kRuns);
  if (!led && lane != lane_of(Track::kData)) leader_ = lane;
  clock.last = time;
  clock.arrived = now;
  note(time);
  return time;
}

std::uint32_t Timeline::data(std::uint32_t raw, TimePoint now) {
  constexpr Lane kData = lane_of(Track::kData);
  if (!leader_) return media(kData, false, raw, now);
  const std::uint32_t time = raw + clocks_[*leader_].shift;
  return near(time, latest_) ? time : latest_;
}

}  // namespace mpb::rtmp
