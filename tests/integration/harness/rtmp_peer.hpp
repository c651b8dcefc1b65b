// A client of RTMP that says what a test wants, byte for byte: blocking, every wait bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/chunk.hpp"
#include "tests/integration/harness/client.hpp"

namespace mpb::test {

/// C0C1 of the simple handshake.
std::string rtmp_hello_bytes();
/// C2 (which nobody checks) and connect to `vhost`, app "live".
std::string rtmp_connect_bytes(const std::string& vhost);
/// A command with Null for its object; `more` is AMF0 behind it.
std::string rtmp_command_bytes(std::string_view name, double transaction, std::uint32_t stream,
                               const std::string& more = {});

class RtmpPeer {
 public:
  explicit RtmpPeer(std::uint16_t port, const std::string& source = {}) : client_(port, source) {}
  explicit RtmpPeer(const Endpoint& server) : client_(server) {}

  void send(std::string_view bytes) { client_.send(bytes); }
  /// Sends as much as the socket takes without waiting; false: none, or the connection is broken.
  bool send_some(std::string_view bytes);
  /// Sends C0C1 and reads S0S1S2; false: that did not come.
  bool greet();
  /// greet(), connect, and the answer to it: false unless that is `_result`.
  bool enter(const std::string& vhost);
  /// enter() and createStream, whose answer is 1 for the first.
  bool enter_stream(const std::string& vhost);

  /// The next message of this type, others being skipped; nothing: the end came, or none within
  /// `limit` (scaled).
  std::optional<std::string> next(rtmp::MessageType type, Duration limit = kPatience);
  /// The code of the next onStatus (or of an `_error`'s info); empty: none came.
  std::string status(Duration limit = kPatience);
  /// Whether the server ends the connection within `limit` (scaled). What it says is discarded.
  bool sees_end(Duration limit = kPatience);
  /// Whether it has ended, without waiting. What it says is discarded.
  bool ended();
  [[nodiscard]] int fd() const { return client_.fd(); }

 private:
  enum class Arrival : std::uint8_t { kBytes, kNothing, kEnd };
  Arrival receive(Duration limit);

  Client client_;
  std::string received_;
  rtmp::ChunkReader reader_{64UL * 1024 * 1024};
};

}  // namespace mpb::test
