// The names of the protocols that mpworker speaks, of the handlers that serve them and of what a
// key may be, for whoever must know the names without linking the parsers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace mpb {

/// What belongs together in one worker, of clients of RTMP.
enum class KeyGranularity : std::uint8_t {
  kVhost,   // key = vhost
  kApp,     // key = vhost/app
  kStream,  // key = vhost/app/stream: known only once the client names a stream
};

struct ProtocolName {
  std::string_view name;
  std::span<const std::string_view> handlers;  // the first is the protocol's own
  bool has_keys;  // its clients belong to somebody, once they have said to whom
};

inline constexpr std::array<std::string_view, 1> kEchoHandlers{"echo"};

inline constexpr std::array<std::string_view, 2> kRtmpHandlers{"relay", "forward"};

inline constexpr std::array<ProtocolName, 3> kProtocols{{{"control", kEchoHandlers, true},
                                                         {"ping", kEchoHandlers, false},
                                                         {"rtmp", kRtmpHandlers, true}}};

/// nullptr when mpworker does not speak it.
constexpr const ProtocolName* find_protocol(std::string_view name) {
  for (const ProtocolName& protocol : kProtocols) {
    if (protocol.name == name) return &protocol;
  }
  return nullptr;
}

}  // namespace mpb
