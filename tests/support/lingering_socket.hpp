// A TCP socket whose close(2) waits: its peer does not read, and SO_LINGER is on.
#pragma once

#include "tests/support/socket_pair.hpp"

namespace mpb::test {

struct LingeringSocket : SocketPair {
  explicit LingeringSocket(int seconds);
};

}  // namespace mpb::test
