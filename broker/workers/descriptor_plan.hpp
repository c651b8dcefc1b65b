// What the broker's descriptors suffice for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/io/descriptor_reserve.hpp"

namespace mpb {

inline constexpr std::size_t kDescriptorsPerWorker = 2;  // its channel and its process
/// Descriptors that starting a worker takes, those included that are closed again.
inline constexpr std::size_t kDescriptorsToStart = 4;
/// Left for the operator when no further worker is started.
inline constexpr std::size_t kDescriptorsForControl = 4;

/// Deliveries that one worker may have without an Ack. Those that it does not read are in flight,
/// and the kernel allows a user as many as a process may have descriptors: workers that do not read
/// leave half of them to the others.
inline std::uint32_t delivery_window(std::uint64_t descriptor_limit, std::size_t workers) {
  constexpr std::uint64_t kLeast = 16;
  constexpr std::uint64_t kMost = 256;
  const std::uint64_t share = descriptor_limit / 2 / std::max<std::size_t>(workers, 1);
  return static_cast<std::uint32_t>(std::clamp(share, kLeast, kMost));
}

/// How many workers may run. `others`: descriptors open for all else.
inline std::size_t workers_within(std::uint64_t descriptor_limit, std::uint64_t others) {
  const std::uint64_t taken = others + kDescriptorsForControl + kDescriptorsToStart -
                              kDescriptorsPerWorker + descriptor_reserve(descriptor_limit);
  return descriptor_limit > taken ? (descriptor_limit - taken) / kDescriptorsPerWorker : 0;
}

}  // namespace mpb
