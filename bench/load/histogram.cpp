#include "bench/load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mpb::load {

// Values below 2^8 have a bucket each; above, every octave [2^k, 2^(k+1)) is cut into 2^7 buckets.
std::size_t Histogram::bucket_of(std::uint64_t value) {
  const std::uint64_t bounded = std::min(value, (std::uint64_t{1} << kMaxBits) - 1);
  const auto width = static_cast<unsigned>(std::bit_width(bounded));
  const unsigned shift = width > kBitsPerOctave + 1 ? width - kBitsPerOctave - 1 : 0;
  return (std::size_t{shift} << kBitsPerOctave) + static_cast<std::size_t>(bounded >> shift);
}

std::uint64_t Histogram::end_of(std::size_t bucket) {
  const std::size_t octave = bucket >> kBitsPerOctave;
  const std::size_t shift = octave > 0 ? octave - 1 : 0;
  const std::uint64_t head = bucket - (shift << kBitsPerOctave);
  return ((head + 1) << shift) - 1;
}

void Histogram::record(std::int64_t nanoseconds) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
  ++buckets_[bucket_of(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::quantile(double fraction) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  const std::uint64_t rank = std::clamp<std::uint64_t>(wanted, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(end_of(i), max_);
  }
  return max_;
}

}  // namespace mpb::load
