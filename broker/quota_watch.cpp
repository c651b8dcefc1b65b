#include "broker/quota_watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"

namespace mpb {
namespace {

struct Closer {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The number behind `name` in the text of a file in /proc; 0: it is not there.
std::uint64_t number_of(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = text.substr(at + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  std::uint64_t number = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return number;
}

}  // namespace

bool may_pass_no_descriptor() {
  std::array<int, 2> fds{-1, -1};
  constexpr int kType = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, fds.data()) != 0) return false;
  const UniqueFd sender(fds[0]);
  const UniqueFd receiver(fds[1]);
  char byte = 0;
  iovec vector{&byte, sizeof byte};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &fds[0], sizeof fds[0]);
  if (::sendmsg(sender.get(), &header, MSG_NOSIGNAL) < 0) return errno == ETOOMANYREFS;
  // Without a place for it the kernel closes the copy.
  ::recv(receiver.get(), &byte, sizeof byte, 0);
  return false;
}

std::uint64_t descriptors_queued_in(pid_t pid, ino_t except, std::size_t most) {
  const std::unique_ptr<DIR, Closer> folder(::opendir(fmt::format("/proc/{}/fdinfo", pid).c_str()));
  if (!folder) return 0;
  std::uint64_t queued = 0;
  std::array<char, 1024> text{};
  for (; most > 0; --most) {
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const UniqueFd file(::openat(::dirfd(folder.get()), entry->d_name, O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
    if (size <= 0) continue;
    const std::string_view read(text.data(), static_cast<std::size_t>(size));
    if (number_of(read, "ino:") != except) queued += number_of(read, "scm_fds:");
  }
  return queued;
}

}  // namespace mpb
