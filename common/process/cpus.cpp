#include "common/process/cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

namespace mpb {
namespace {

unsigned by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Of machines with more CPUs than the set has room for it is an error.
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return std::thread::hardware_concurrency();
  return static_cast<unsigned>(CPU_COUNT(&set));
}

/// "max 100000" or "QUOTA PERIOD"; without a bound `most`.
unsigned bound_in(const std::filesystem::path& group, unsigned most) {
  std::ifstream file(group / "cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return most;
  const double cpus = std::min(quota / period, static_cast<double>(most));
  const auto whole = static_cast<unsigned>(cpus);
  return whole < cpus ? whole + 1 : whole;
}

/// The path of its group of version 2: the line "0::/PATH".
std::string own_group(const std::filesystem::path& own) {
  std::ifstream file(own);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::/")) return line.substr(4);
  }
  return {};
}

}  // namespace

unsigned usable_cpus(const std::filesystem::path& cgroups, const std::filesystem::path& own) {
  unsigned cpus = bound_in(cgroups, std::max(1U, by_affinity()));
  std::filesystem::path group = cgroups;
  for (const auto& part : std::filesystem::path(own_group(own))) {
    group /= part;
    cpus = bound_in(group, cpus);
  }
  return std::max(1U, cpus);
}

}  // namespace mpb
