// A TCP socket whose close(2) waits: its peer does not read, and SO_LINGER is on.
#pragma once

#include "common/base/unique_fd.hpp"

namespace mpb::test {

struct LingeringSocket {
  explicit LingeringSocket(int seconds);
  UniqueFd peer;
  UniqueFd fd;
};

}  // namespace mpb::test
