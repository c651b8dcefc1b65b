// jitter = full: the times that players get for a publisher's. Pure: it is given the time.
//
// Each lane of audio and video has a clock of its own, so that tracks which are interleaved seconds
// apart, pauses and low frame rates keep their pace. A clock that jumps goes on where it was, and
// the others follow it when they jump as far: sound and picture stay together. Data has no clock,
// it follows the media.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "common/io/event_loop.hpp"
#include "worker/rtmp/relay/lane.hpp"

namespace mpb::rtmp {

/// Tracks of a stream lie no further apart than this, in ms.
inline constexpr std::int32_t kMaxApart = 10'000;

class Timeline {
 public:
  /// A publisher begins: its times have nothing to do with those of the one before.
  void restart();
  /// Of an audio or video message. `header`: it is no frame, and may have any time.
  std::uint32_t media(Lane lane, bool header, std::uint32_t raw, TimePoint now);
  /// Of a data message.
  std::uint32_t data(std::uint32_t raw, TimePoint now);

 private:
  struct Clock {
    enum class State : std::uint8_t { kUnused, kHeader, kRuns };
    State state = State::kUnused;
    std::uint32_t shift = 0;  // from the publisher's time to that of players, modulo 2^32
    std::uint32_t last = 0;   // what players got
    std::uint32_t usual = 0;  // ms: the longest of its latest steps; 0: none yet
    TimePoint arrived{};
  };

  std::uint32_t place(Lane lane, std::uint32_t raw, TimePoint now);
  [[nodiscard]] bool may_step(const Clock& clock, std::int32_t step, std::uint32_t time,
                              TimePoint now) const;
  [[nodiscard]] std::optional<std::uint32_t> as_leader(Lane lane, std::uint32_t raw) const;
  [[nodiscard]] std::uint32_t behind_latest() const;
  void note(std::uint32_t time);

  std::array<Clock, kLanes> clocks_{};
  std::optional<Lane> leader_;  // whose shift was found last: others follow it
  std::uint32_t latest_ = 0;    // of all times that were given
  bool ever_ = false;           // one was given
};

}  // namespace mpb::rtmp
