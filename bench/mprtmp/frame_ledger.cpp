#include "bench/mprtmp/frame_ledger.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::uint64_t kWindow = 64;

}  // namespace

void FrameCounts::merge(const FrameCounts& other) {
  received += other.received;
  lost += other.lost;
  gaps += other.gaps;
  duplicated += other.duplicated;
  out_of_order += other.out_of_order;
}

void FrameLedger::record(std::uint64_t number) {
  ++counts_.received;
  if (!begun_) {
    begun_ = true;
    last_ = number;
    // What lies before the first frame was never due: nothing of it can come late.
    seen_ = UINT64_MAX;
    return;
  }
  if (number > last_) {
    const std::uint64_t step = number - last_;
    seen_ = step < kWindow ? seen_ << step | 1 : 1;
    last_ = number;
    if (step > 1) {
      counts_.lost += step - 1;
      ++counts_.gaps;
    }
    return;
  }
  const std::uint64_t back = last_ - number;
  const std::uint64_t bit = back < kWindow ? std::uint64_t{1} << back : 0;
  if (bit == 0 || (seen_ & bit) != 0) {
    ++counts_.duplicated;
    return;
  }
  seen_ |= bit;
  --counts_.lost;
  ++counts_.out_of_order;
}

}  // namespace mpb::rtmp_load
