// The kernel's quota of descriptors in flight, used up.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

#include "common/io/descriptor_passing.hpp"

namespace mpb::test {

/// Sends a byte with so many copies of a descriptor.
inline bool pass_copies(int socket, int fd, std::size_t count) {
  const std::vector<int> descriptors(count, fd);
  return send_passing<kMostPassed>(socket, "x", descriptors) == 1;
}

/// While it lives, this user has more descriptors in flight than the kernel allows. Root, who has
/// no quota, is nobody meanwhile.
class ExceededQuota {
 public:
  ExceededQuota() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) throw std::runtime_error("seteuid");
    const rlimit few{kFew, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()) != 0) return;
    while (pass_copies(ends_[0], ends_[0], kFew)) continue;
    exceeded_ = errno == ETOOMANYREFS;
  }
  ExceededQuota(const ExceededQuota&) = delete;
  ExceededQuota& operator=(const ExceededQuota&) = delete;
  ~ExceededQuota() { end(); }

  [[nodiscard]] bool exceeded() const { return exceeded_; }
  void end() {
    for (int& fd : ends_) {
      if (fd >= 0) ::close(std::exchange(fd, -1));
    }
    if (std::exchange(ended_, true)) return;
    ::setrlimit(RLIMIT_NOFILE, &before_);
    if (::getuid() == 0 && ::seteuid(0) != 0) std::abort();
  }

 private:
  static constexpr uid_t kNobody = 65'534;
  static constexpr std::size_t kFew = 200;
  rlimit before_{};
  std::array<int, 2> ends_{-1, -1};
  bool exceeded_ = false;
  bool ended_ = false;
};

}  // namespace mpb::test
