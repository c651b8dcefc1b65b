// How much came in the last seconds, however it is spread over them. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mpb::rtmp {

class RateWindow {
 public:
  static constexpr double kSeconds = 10;

  /// `amount` came within `seconds`.
  void add(std::uint64_t amount, double seconds) {
    spans_[next_] = {amount, seconds};
    next_ = (next_ + 1) % spans_.size();
  }
  /// Whether more came in kSeconds than `limit` each second allows. Who has just begun has all of
  /// them before it.
  [[nodiscard]] bool exceeds(double limit) const {
    double amount = 0;
    double seconds = 0;
    for (std::size_t i = 1; i <= spans_.size() && seconds < kSeconds; ++i) {
      const Span& span = spans_[(next_ + spans_.size() - i) % spans_.size()];
      amount += static_cast<double>(span.amount);
      seconds += span.seconds;
    }
    return amount > limit * (seconds > kSeconds ? seconds : kSeconds);
  }
  void clear() { *this = RateWindow(); }

 private:
  struct Span {
    std::uint64_t amount = 0;
    double seconds = 0;
  };
  std::array<Span, 16> spans_{};  // enough of those of a second, and some short ones
  std::size_t next_ = 0;
};

}  // namespace mpb::rtmp
