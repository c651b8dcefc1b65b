// How many CPUs this process may use.
#pragma once

#include <filesystem>

namespace mpb {

/// By its affinity (sched_getaffinity(2)) and the bounds of its control groups (cgroups(7),
/// cpu.max, version 2), rounded up; 1 at least. `cgroups` and `own`: where these are mounted, and
/// what names this process's.
unsigned usable_cpus(const std::filesystem::path& cgroups = "/sys/fs/cgroup",
                     const std::filesystem::path& own = "/proc/self/cgroup");

}  // namespace mpb
