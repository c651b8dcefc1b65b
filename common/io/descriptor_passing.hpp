// Descriptors in the messages of unix sockets: unix(7), SCM_RIGHTS; cmsg(3).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "common/base/unique_fd.hpp"

namespace mpb {

inline constexpr std::size_t kMostPassed = 253;  // SCM_MAX_FD: what one message can carry

/// sendmsg(2) of `bytes` and copies of at most `kMost` descriptors, with MSG_NOSIGNAL and `flags`.
template <std::size_t kMost = 1>
ssize_t send_passing(int socket, std::string_view bytes, std::span<const int> fds, int flags = 0) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMost * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL | flags);
}

/// Hands each descriptor that came with a received message to `take`.
template <class Take>
void take_passed(msghdr& header, Take&& take) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
      take(UniqueFd(fd));
    }
  }
}

}  // namespace mpb
