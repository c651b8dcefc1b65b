#include "bench/load/connector.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace mpb::load {

Connector::Connector(const Endpoint& target, unsigned sources, bool reset_on_close)
    : target_(target),
      sources_(sources),
      reset_on_close_(reset_on_close && target.family() != AF_UNIX) {}

int Connector::open_socket(std::uint64_t number) const {
  const int fd = ::socket(target_.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || sources_ == 0 || bind_source(fd, number)) return fd;
  const int code = errno;
  ::close(fd);
  errno = code;
  return -1;
}

// 127.0.0.1 to 127.0.0.254, then 127.0.1.1 to 127.0.1.254, ... The port is left to connect(), which
// takes one that is free for this destination rather than for all.
bool Connector::bind_source(int fd, std::uint64_t number) const {
  const auto source = static_cast<std::uint32_t>(number % sources_);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x7f000001U + ((source / 254) << 8) + source % 254);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

int Connector::begin(int fd) const {
  return ::connect(fd, target_.data(), target_.length) == 0 ? 0 : errno;
}

void Connector::close(int fd) const {
  if (reset_on_close_) {
    const linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  ::close(fd);
}

}  // namespace mpb::load
