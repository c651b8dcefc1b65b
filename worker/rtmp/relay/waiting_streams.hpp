// Streams that nobody publishes and somebody plays: a name costs a client a few bytes, and a worker
// a stream. Which clients may wait for one more. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpb::rtmp {

class WaitingStreams {
 public:
  static constexpr std::size_t kMostOfClient = 16;
  static constexpr std::uint64_t kMost = 16UL * 1024 * 1024;  // bytes, of all in a worker

  /// Bytes that a stream takes, about, whose path has so many.
  static constexpr std::uint64_t cost(std::size_t path) { return 1024 + 2 * std::uint64_t{path}; }

  void add(std::size_t path) { used_ += cost(path); }
  void remove(std::size_t path) { used_ -= cost(path); }

  /// Whether a client that waits for `waits` streams may wait for another one, which costs the
  /// worker `cost` (0: the stream is there already). Each client may wait for one: so others, by
  /// however many names, keep nobody from it.
  [[nodiscard]] bool admits(std::size_t waits, std::uint64_t cost) const {
    return waits == 0 || (waits < kMostOfClient && used_ + cost <= kMost);
  }
  /// Streams that lost their publishers wait, too: clients that wait for several give some up.
  [[nodiscard]] bool too_many() const { return used_ > kMost; }
  [[nodiscard]] std::uint64_t used() const { return used_; }

 private:
  std::uint64_t used_ = 0;
};

}  // namespace mpb::rtmp
