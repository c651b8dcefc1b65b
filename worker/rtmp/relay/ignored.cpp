#include "worker/rtmp/relay/ignored.hpp"

#include <utility>

namespace mpb::rtmp {
namespace {

constexpr Duration kWindow{10'000};
constexpr std::uint32_t kToldPerWindow = 10;

}  // namespace

std::optional<std::uint64_t> IgnoredMessages::tell(TimePoint now) {
  if (now - window_began_ >= kWindow) {
    window_began_ = now;
    told_ = 0;
  }
  if (told_ == kToldPerWindow) {
    ++untold_;
    return std::nullopt;
  }
  ++told_;
  return std::exchange(untold_, 0);
}

}  // namespace mpb::rtmp
