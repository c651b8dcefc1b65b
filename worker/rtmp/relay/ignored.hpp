// Messages of clients that mean nothing here. They cost a client nothing; they are counted, and the
// first ones are told, so that an operator sees why a stream stays empty. Pure: it is given the
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/io/event_loop.hpp"

namespace mpb::rtmp {

enum class Ignored : std::uint8_t {
  kMedia,    // of no publication of the client's
  kCommand,  // not a command
  kData,     // not data that a player could read
};

inline constexpr std::size_t kIgnored = 3;

class IgnoredMessages {
 public:
  void count() { ++total_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

  /// Asked for the first message of a client and cause. Nothing: not now, since enough were told
  /// lately. Else how many were not told since the last one that was.
  std::optional<std::uint64_t> tell(TimePoint now);

 private:
  std::uint64_t total_ = 0;
  std::uint64_t untold_ = 0;
  std::uint32_t told_ = 0;  // since window_began_
  TimePoint window_began_{};
};

}  // namespace mpb::rtmp
