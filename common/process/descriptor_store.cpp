#include "common/process/descriptor_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>

#include "common/base/unique_fd.hpp"
#include "common/io/descriptor_passing.hpp"

namespace mpb {
namespace {

constexpr int kSendLimit = 1'000;  // ms, until the holder has room for a message

/// Waits for room: what is not told would be lost.
Status tell_holder(std::string_view state, int descriptor) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  const std::string_view name = path == nullptr ? std::string_view() : std::string_view(path);
  sockaddr_un address{};
  if (name.size() < 2 || name.size() >= sizeof address.sun_path) {
    return unavailable_error("no holder of descriptors: NOTIFY_SOCKET is not set");
  }
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error("socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return system_error("the holder of descriptors at " + std::string(name));
  }
  const std::span<const int> passed(&descriptor, descriptor >= 0 ? 1 : 0);
  for (;;) {
    if (send_passing(socket.get(), state, passed) >= 0) return {};
    if (errno != EAGAIN && errno != EINTR) return system_error("sendmsg to the holder");
    pollfd entry{socket.get(), POLLOUT, 0};
    if (::poll(&entry, 1, kSendLimit) == 0) {
      return unavailable_error("the holder of descriptors does not read");
    }
  }
}

}  // namespace

Status DescriptorStore::keep(std::string_view name, int descriptor) {
  if (!held_) return {};
  // Else systemd drops a socket as soon as its other end is closed, with what is in its queue.
  return tell_holder(fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name), descriptor);
}

void DescriptorStore::forget(std::string_view name) {
  if (held_) (void)tell_holder(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name), -1);
}

Status DescriptorStore::confirm(Duration limit) {
  if (!held_) return {};
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  if (const Status told = tell_holder("BARRIER=1", writer.get()); !told) return told;
  writer.reset();
  pollfd entry{reader.get(), 0, 0};
  if (::poll(&entry, 1, static_cast<int>(limit.count())) > 0) return {};
  return unavailable_error("the holder of descriptors has not answered in time");
}

}  // namespace mpb
