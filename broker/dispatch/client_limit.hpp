// How many clients one worker should serve at most.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/config/settings.hpp"

namespace mpb {

/// Of the descriptors that a worker has for clients those that it should use. An eighth is left for
/// clients that find no room: without one, a worker could not even accept them to hand them over.
constexpr std::uint64_t usable_descriptors(std::uint64_t descriptors) {
  return descriptors - descriptors / 8;
}

/// The soft limit of clients per worker, 0: none. `descriptors`: those that a worker has for
/// clients. Extra workers start when the others are at their limit; so where there may be some and
/// no limit is configured, it is what descriptors allow.
inline std::uint32_t client_limit(const Settings& settings, std::uint64_t descriptors) {
  const bool extra = settings.worker_limit() > settings.workers;
  if (settings.max_clients != 0 || !extra) return settings.max_clients;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(usable_descriptors(descriptors), 1, UINT32_MAX));
}

}  // namespace mpb
