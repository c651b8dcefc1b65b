// Latencies counted in logarithmic buckets, as HdrHistogram does: at most 0.8 % wide, no
// allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mpb::load {

/// Values are nanoseconds from 0 to 2^40 (18 minutes); larger ones count as 2^40, but max() is
/// exact.
class Histogram {
 public:
  void record(std::int64_t nanoseconds);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const;
  /// The smallest bucket end that at least `fraction` of all values do not exceed; 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double fraction) const;

 private:
  static constexpr unsigned kBitsPerOctave = 7;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kBuckets = (kMaxBits - kBitsPerOctave + 1) << kBitsPerOctave;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t end_of(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace mpb::load
