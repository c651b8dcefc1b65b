#include "broker/dispatch/restart_policy.hpp"

#include <algorithm>

namespace mpb {

RestartDecision RestartPolicy::on_exit(const WorkerExit& exit, std::mt19937_64& random) {
  if (exit.usage) return {true, Duration{0}};
  if (exit.was_ready) without_ready_ = Duration{0};
  if (exit.was_ready && exit.ran >= rules_.settled) failures_ = 0;
  // A worker that had settled comes back at once: most crashes are single.
  if (failures_++ == 0 && exit.was_ready) return {false, Duration{0}};
  const std::uint32_t doublings = std::min(failures_ - 1, 20U);
  const Duration delay = std::min<Duration>(rules_.first * (1LL << doublings), rules_.longest);
  const auto jitter =
      static_cast<std::int64_t>(random() % (static_cast<std::uint64_t>(delay.count()) / 4 + 1));
  without_ready_ += exit.was_ready ? delay : exit.ran + delay;
  return {false, delay + Duration{jitter}};
}

void RestartPolicy::forgive() {
  failures_ = 0;
  without_ready_ = Duration{0};
}

}  // namespace mpb
