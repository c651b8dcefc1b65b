// What an operator can set for the cell that serves a key: the process that it runs as, and how
// much that may have.
#pragma once

#include <cstdint>
#include <string>

namespace mpb {

/// Of all processes whose weight nobody sets (cgroups(7), cpu.weight).
inline constexpr std::uint32_t kUsualCpuWeight = 100;

/// Keys of a [vhost NAME] or [key PATTERN] section.
struct CellSettings {
  std::string user;              // it runs as; empty: as other workers
  std::string group;             // empty: the user's own
  std::uint64_t nofile = 0;      // RLIMIT_NOFILE; 0: as other workers
  std::uint64_t memory_max = 0;  // bytes; 0: no limit
  std::uint32_t cpu_weight = kUsualCpuWeight;
  friend bool operator==(const CellSettings&, const CellSettings&) = default;
};

/// A [key PATTERN] section.
struct KeySettings {
  std::string pattern;   // a key, or with one '*' for any bytes there
  std::string protocol;  // whose keys; empty: of all protocols but rtmp
  CellSettings cell;
  friend bool operator==(const KeySettings&, const KeySettings&) = default;
};

}  // namespace mpb
