// What a client sends: one request is one or two commands in one send.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mpb::load {

enum class Request : std::uint8_t {
  kDispatch,     // C id
  kDispatchWho,  // C id, W
  kMessage,      // M text NUL
  kMessageWho,   // M text NUL, W
};

/// The protocol's bound for the text of a message, without its NUL.
inline constexpr std::size_t kMaxMessage = 4096;

class RequestWriter {
 public:
  /// `message_size`: bytes of text in each message, at most kMaxMessage.
  explicit RequestWriter(std::size_t message_size);

  /// The bytes of a request; valid until the next call.
  [[nodiscard]] std::string_view bytes(Request request, std::int32_t id);

 private:
  std::array<char, 6> dispatch_{};
  std::string message_;  // with the W at its end
};

}  // namespace mpb::load
