// Names that all have one std::hash, as anybody can choose them: libstdc++'s is MurmurHash64A with
// a seed that everybody knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/byte_order.hpp"

namespace mpb::test {

/// Of 16 bytes each, any bytes among them: the second eight undo what the first eight did.
inline std::vector<std::string> colliding_names(std::size_t count) {
  constexpr std::uint64_t kFactor = (std::uint64_t{0xc6a4a793} << 32) + 0x5bd1e995;
  constexpr std::uint64_t kSeed = 0xc70f6907;
  constexpr std::uint64_t kState = 0x1234567890abcdef;  // that all have behind the second eight
  std::uint64_t inverse = 1;                            // of kFactor, modulo 2^64
  for (int i = 0; i < 6; ++i) inverse *= 2 - kFactor * inverse;
  const auto shifted = [](std::uint64_t word) { return word ^ (word >> 47); };
  std::vector<std::string> names;
  for (std::uint64_t first = 0; first < count; ++first) {
    const std::uint64_t mixed = shifted(first * kFactor) * kFactor;
    const std::uint64_t state = ((kSeed ^ (16 * kFactor)) ^ mixed) * kFactor;
    const std::uint64_t second = shifted((kState ^ state) * inverse) * inverse;
    std::string& name = names.emplace_back();
    append_le(name, first);
    append_le(name, second);
  }
  return names;
}

}  // namespace mpb::test
