#include "tests/integration/harness/line_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include "tests/integration/harness/timing.hpp"

namespace mpb::test {

std::string LineClient::hear() {
  while (true) {
    const auto end = received_.find('\n');
    if (end != std::string::npos) {
      const std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    pollfd readable{client_.fd(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(scaled(kPatience).count())) != 1) {
      return std::string(kTimeout);
    }
    char bytes[4096];
    const ssize_t count = ::recv(client_.fd(), bytes, sizeof bytes, 0);
    if (count <= 0) return std::string(kEof);
    received_.append(bytes, static_cast<std::size_t>(count));
  }
}

}  // namespace mpb::test
