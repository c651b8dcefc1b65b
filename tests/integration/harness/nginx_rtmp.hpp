// Debian's nginx with its RTMP module: a server that others wrote, to forward to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/integration/harness/child_process.hpp"

namespace mpb::test {

/// Serves the application "live" on a port of its own; everything it writes is in a folder of its
/// own. Ended with this object.
class NginxRtmp {
 public:
  /// Throws std::runtime_error when it does not come up. `port` 0: a free one.
  explicit NginxRtmp(std::uint16_t port = 0);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// What its access log says of sessions that have ended: one line each, beginning with the
  /// client's address.
  [[nodiscard]] std::string access_log() const;
  /// Ends it with all its connections.
  void stop();

 private:
  TempFolder folder_;
  std::uint16_t port_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace mpb::test
