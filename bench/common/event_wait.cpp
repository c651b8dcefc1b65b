#include "bench/common/event_wait.hpp"

#include <algorithm>
#include <chrono>

namespace mpb::load {

int wait_until(int epoll, std::span<epoll_event> events, TimePoint due) {
  const auto wait = std::max<Clock::duration>(due - Clock::now(), Clock::duration{0});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec limit{seconds.count(), (wait - seconds).count()};
  return ::epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()),
                        due == TimePoint::max() ? nullptr : &limit, nullptr);
}

}  // namespace mpb::load
