// How much memory the streams of a worker take, and which of them give up what they keep for
// players to begin with. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mpb::rtmp {

class MediaMemory {
 public:
  /// 0: there is no limit.
  void set_limit(std::uint64_t bytes) {
    if (limit_ != bytes) next_ = 0;
    limit_ = bytes;
  }
  /// A stream takes `after` bytes instead of `before`.
  void change(std::uint64_t before, std::uint64_t after) { used_ += after - before; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  /// Something should be given up. No longer so when nothing more can be: what players are yet to
  /// be sent is not given up for it.
  [[nodiscard]] bool is_full() const { return limit_ > 0 && used_ > limit_ && used_ >= next_; }

  /// Which of the streams, that could give up `spare` bytes each, do so: those with the most first,
  /// until a tenth of the limit is free, so that not every message has to make room.
  [[nodiscard]] std::vector<std::size_t> choose(std::span<const std::uint64_t> spare) const;
  /// They have: when that was not enough it is no use to ask again at once.
  void gave_up() { next_ = used_ + limit_ / kTenth; }

 private:
  static constexpr std::uint64_t kTenth = 10;

  std::uint64_t limit_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace mpb::rtmp
