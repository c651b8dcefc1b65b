#include "tests/support/lingering_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

namespace mpb::test {

LingeringSocket::LingeringSocket(int seconds) : SocketPair(tcp_pair()) {
  const std::string bytes(1 << 16, 'x');
  while (::send(ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) continue;
  const linger patience{1, seconds};
  EXPECT_EQ(::setsockopt(ours.get(), SOL_SOCKET, SO_LINGER, &patience, sizeof patience), 0);
}

}  // namespace mpb::test
