// How far a TCP connection has come, as the kernel counts it, whichever processes have read and
// written: whoever compares two looks knows whether anybody did in between.
#pragma once

#include <cstdint>
#include <optional>

namespace mpb {

struct ByteCounts {
  std::uint64_t consumed = 0;  // bytes that were read
  std::uint64_t written = 0;
  friend bool operator==(const ByteCounts&, const ByteCounts&) = default;
};

/// Nothing: it is no TCP socket, or the kernel does not count.
std::optional<ByteCounts> byte_counts(int socket);

}  // namespace mpb
