#include "common/io/descriptor_reserve.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "common/base/unique_fd.hpp"

namespace mpb {

std::uint64_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::uint64_t descriptor_reserve(std::uint64_t descriptor_limit) {
  constexpr std::uint64_t kMost = 64;
  return std::min(kMost, descriptor_limit / 4);
}

bool may_stay_open(int fd) {
  const std::uint64_t limit = descriptor_limit();
  return fd >= 0 && static_cast<std::uint64_t>(fd) < limit - descriptor_reserve(limit);
}

bool may_assist_a_client(int fd) {
  const std::uint64_t limit = descriptor_limit();
  return fd >= 0 && static_cast<std::uint64_t>(fd) < limit - descriptor_reserve(limit) / 2;
}

bool has_descriptors_for(std::size_t count) {
  std::vector<UniqueFd> probes;
  while (probes.size() < count) {
    probes.emplace_back(probes.empty() ? ::eventfd(0, EFD_CLOEXEC)
                                       : ::fcntl(probes.front().get(), F_DUPFD_CLOEXEC, 0));
    if (!may_stay_open(probes.back().get())) return false;
  }
  return true;
}

}  // namespace mpb
