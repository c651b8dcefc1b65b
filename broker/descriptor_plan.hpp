// What the broker's descriptors suffice for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/descriptor_reserve.hpp"

namespace mpb {

inline constexpr std::size_t kDescriptorsPerWorker = 2;  // its channel and its process
/// Descriptors that starting a worker takes, those included that are closed again.
inline constexpr std::size_t kDescriptorsToStart = 4;
/// Left for the operator when no further worker is started.
inline constexpr std::size_t kDescriptorsForControl = 4;

/// How many workers may run. `others`: descriptors open for all else.
inline std::size_t workers_within(std::uint64_t descriptor_limit, std::uint64_t others) {
  const std::uint64_t taken = others + kDescriptorsForControl + kDescriptorsToStart -
                              kDescriptorsPerWorker + descriptor_reserve(descriptor_limit);
  return descriptor_limit > taken ? (descriptor_limit - taken) / kDescriptorsPerWorker : 0;
}

}  // namespace mpb
