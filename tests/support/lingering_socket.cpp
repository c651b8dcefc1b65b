#include "tests/support/lingering_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "common/io/endpoint.hpp"
#include "common/listen/listening_socket.hpp"

namespace mpb::test {

LingeringSocket::LingeringSocket(int seconds) {
  const UniqueFd listener = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
  const Endpoint address = local_endpoint(listener.get()).value();
  peer.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(peer.get(), address.data(), address.length), 0);
  fd.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const std::string bytes(1 << 16, 'x');
  while (::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) continue;
  const linger patience{1, seconds};
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &patience, sizeof patience), 0);
}

}  // namespace mpb::test
