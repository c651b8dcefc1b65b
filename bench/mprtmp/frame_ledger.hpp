// Which of a stream's numbered frames a player got.
#pragma once

#include <cstdint>

namespace mpb::rtmp_load {

struct FrameCounts {
  std::uint64_t received = 0;
  std::uint64_t lost = 0;          // numbers that were passed over and did not come later
  std::uint64_t gaps = 0;          // places where some were passed over
  std::uint64_t duplicated = 0;    // came again
  std::uint64_t out_of_order = 0;  // came behind a later one

  void merge(const FrameCounts& other);
  friend bool operator==(const FrameCounts&, const FrameCounts&) = default;
};

/// Begins with the first frame that comes. A frame that comes more than 64 behind the last counts
/// as duplicated.
class FrameLedger {
 public:
  void record(std::uint64_t number);
  [[nodiscard]] const FrameCounts& counts() const { return counts_; }
  /// Another publisher's numbers follow; the counts go on.
  void start_over() { begun_ = false; }

 private:
  FrameCounts counts_;
  std::uint64_t last_ = 0;  // the greatest number so far
  std::uint64_t seen_ = 0;  // bit i: last_ - i has come
  bool begun_ = false;
};

}  // namespace mpb::rtmp_load
