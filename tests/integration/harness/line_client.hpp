// A client of a protocol of lines.
#pragma once

#include <cstdint>
#include <string>

#include "tests/integration/harness/client.hpp"

namespace mpb::test {

class LineClient {
 public:
  /// Says `first` as its first line.
  LineClient(std::uint16_t port, const std::string& first) : client_(port) { say(first); }

  void say(const std::string& line) { client_.send(line + "\n"); }
  /// The next line; or kEof, kTimeout.
  std::string hear();
  void finish_sending() { client_.finish_sending(); }

 private:
  Client client_;
  std::string received_;
};

}  // namespace mpb::test
