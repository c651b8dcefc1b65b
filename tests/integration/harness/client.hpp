// A client of the control protocol, for tests: blocking, every wait bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/io/endpoint.hpp"
#include "tests/integration/harness/timing.hpp"

namespace mpb::test {

inline constexpr std::string_view kHello = "hello, server ping!";
inline constexpr std::string_view kBusy = "busy";
// What Client::read_text says instead of a text.
inline constexpr std::string_view kEof = "<eof>";
inline constexpr std::string_view kReset = "<reset>";
inline constexpr std::string_view kTimeout = "<timeout>";

/// 'C' and the id.
std::string claim_bytes(std::int32_t id);
/// 'M', the text and its NUL.
std::string message_bytes(std::string_view text);

/// The answer to 'W'.
struct Who {
  int worker = -1;
  pid_t pid = -1;
  std::string id;
  int hops = -1;
  std::string text;  // the whole answer
};

class Client {
 public:
  /// Connects; throws std::runtime_error when that fails. `source`: an address to come from.
  explicit Client(std::uint16_t port, const std::string& source = {});
  explicit Client(const Endpoint& server, const std::string& source = {});

  /// Sends all of it; an error of the connection shows when reading.
  void send(std::string_view bytes);
  /// Sends each byte in a segment of its own.
  void send_byte_by_byte(std::string_view bytes);

  /// The next text, without its NUL; or kEof, kReset (with what came of a text before), kTimeout.
  std::string read_text(Duration limit = kPatience);

  // Send a command and read its answer.
  std::string claim(std::int32_t id);
  std::string message(std::string_view text = "hello");
  Who who();
  /// claim() and who() in one: throws when the greeting does not come.
  Who join(std::int32_t id);
  /// Reads the answer to a 'W' that was sent.
  Who read_who(Duration limit = kPatience);

  /// True when it is told nothing more and sees the end within `limit` (scaled).
  bool sees_eof(Duration limit = kPatience) { return read_text(limit) == kEof; }
  /// Whether the server has closed or said something, without waiting.
  bool is_quiet();
  void close() { fd_.reset(); }
  /// Ends its own direction only.
  void finish_sending();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string received_;
};

/// Whether a connection to the port is refused.
bool is_refused(std::uint16_t port);
Endpoint loopback(std::uint16_t port);
/// A port nobody listens on, outside of the range the kernel gives to clients.
std::uint16_t free_port();

}  // namespace mpb::test
