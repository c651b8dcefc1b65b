// The control protocol, wire-compatible with the 2012 clients. Client to server:
//   'C' int32 (little-endian)   I belong to this id
//   'M' bytes NUL               a message of at most kMaxMessage bytes
//   'W'                         who serves me?
// Server to client: a text and a NUL for each command.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mpb::control {

inline constexpr std::size_t kMaxMessage = 4096;  // bytes between 'M' and its NUL
inline constexpr std::string_view kGreeting{"hello, server ping!\0", 20};
inline constexpr std::string_view kBusy{"busy\0", 5};
inline constexpr std::string_view kUnknownCommand{"error: expected C, M or W\0", 26};
inline constexpr std::string_view kMessageTooLong{"error: message over 4096 bytes\0", 31};

struct Command {
  enum class Kind : std::uint8_t {
    kIncomplete,  // more bytes are needed; `size` is 0
    kClaim,       // 'C': `id`
    kMessage,     // 'M': `text`
    kWho,         // 'W'
    kUnknown,     // no command begins with the first byte
    kOverlong,    // no NUL within the bound
  };
  Kind kind = Kind::kIncomplete;
  std::size_t size = 0;  // bytes of `input` that this command takes up
  std::int32_t id = 0;
  std::string_view text;  // points into `input`
};

/// The first command of `input`, of which the first `seen` bytes are known not to be a whole one.
Command first_command(std::string_view input, std::size_t seen = 0);

/// How an id is written as a routing key: decimal.
std::string key_of(std::int32_t id);

}  // namespace mpb::control
