// How fast the messages of one client are taken. Most of what a message costs does not depend on
// how long it is: a client that sends many is read no faster than this, and notices nothing but
// that its bytes wait in its own connection. Pure: it is given the time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "common/io/event_loop.hpp"

namespace mpb::rtmp {

class MessagePace {
 public:
  /// Ten times what eight tracks of video and of sound make; so many seconds' worth may come at
  /// once, as from a file that is sent as fast as it can be read.
  static constexpr std::uint32_t kMessagesPerSecond = 10'000;
  static constexpr std::uint32_t kBurst = 5 * kMessagesPerSecond;
  /// What a command costs in messages: it is parsed, answered and may change what others get.
  static constexpr std::uint32_t kCommand = 100;

  /// Those of one client are taken in pieces of so many, so that others have a turn in between.
  static constexpr std::uint32_t kPiece = 32 * kCommand;

  /// Whether the next message may be taken now.
  [[nodiscard]] bool ready(TimePoint now) const { return full_at_ <= now + kEach * kBurst; }
  /// One was, or `messages` in one.
  void take(std::uint32_t messages, TimePoint now) {
    full_at_ = std::max(full_at_, now) + kEach * messages;
  }

 private:
  static constexpr std::chrono::microseconds kEach{1'000'000 / kMessagesPerSecond};

  TimePoint full_at_{};  // when the whole burst may come again
};

}  // namespace mpb::rtmp
