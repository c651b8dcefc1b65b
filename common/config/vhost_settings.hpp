// What an operator can set for a vhost: the keys of a [vhost NAME] section.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/units.hpp"
#include "common/config/cell_settings.hpp"
#include "common/io/endpoint.hpp"

namespace mpb {

/// Serves clients that name no vhost, or one that is not configured.
inline constexpr std::string_view kDefaultVhost = "__defaultVhost__";

/// How the timestamps of what a player gets relate to the publisher's.
enum class Jitter : std::uint8_t {
  kFull,  // begin near zero, and go on smoothly where the publisher's jump
  kZero,  // begin near zero
  kOff,   // the publisher's own
};

/// An address or network: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", or "all".
struct Network {
  std::array<std::uint8_t, 16> address{};  // IPv4 mapped into IPv6
  std::uint8_t bits = 0;                   // of `address` that count; 0: all addresses
  friend bool operator==(const Network&, const Network&) = default;
};

/// Who may publish, or play. A denied address is refused; else an `allow` list that is not empty
/// must have the address.
struct AccessRules {
  std::vector<Network> allow;
  std::vector<Network> deny;
  std::string key;     // "?key=" of the stream name must be this; empty: not asked for
  std::string secret;  // of the HMAC in "?expires=UNIX_SECONDS&token=HEX"; empty: not asked for
  friend bool operator==(const AccessRules&, const AccessRules&) = default;
};

/// URLs ("http://127.0.0.1:8085/api/v1/clients") of HTTP callbacks in SRS's form; empty: none.
struct HookSettings {
  std::string on_connect;
  std::string on_publish;
  std::string on_play;
  std::string on_unpublish;
  std::string on_stop;
  Duration timeout{3'000};
  bool fail_open = false;  // no answer in time counts as consent
  friend bool operator==(const HookSettings&, const HookSettings&) = default;
};

/// A server that clients of a vhost are forwarded to.
struct Upstream {
  std::string address;  // as written
  bool backup = false;  // only when all others are down
  friend bool operator==(const Upstream&, const Upstream&) = default;
};

/// Which of rtmp's handlers serves the clients of a vhost.
enum class VhostHandler : std::uint8_t {
  kListeners,  // the one of the listener they came to
  kRelay,
  kForward,
};

/// How an upstream is told the client's address.
enum class UpstreamPrefix : std::uint8_t { kNone, kProxyV1, kProxyV2, kSrsRealIp };

struct VhostSettings {
  std::string name;  // normalised; "*.example.com" for every name that ends with ".example.com"

  VhostHandler handler = VhostHandler::kListeners;
  CellSettings cell;  // where a listener isolates by key

  // delivery
  Duration merge{0};  // latency = realtime (0) or merge:TIME: what players get goes out so often
  bool gop_cache = true;
  Duration queue{10'000};  // what a player has not read may be so old
  Jitter jitter = Jitter::kFull;
  bool publish_notify =
      false;  // players are told by onStatus, too, when a publisher begins or ends

  // access
  AccessRules publish;
  AccessRules play;
  HookSettings hooks;

  /// A publisher that has sent nothing for so long gives way to another one; 0: at once, nothing:
  /// never.
  std::optional<Duration> publisher_yields{3'000};

  // limits; 0: none
  std::uint32_t max_players = 0;
  std::uint32_t max_publishers = 0;
  std::uint64_t max_bitrate = 0;     // of a publisher, bits per second over some seconds
  Duration publish_timeout{30'000};  // a publisher that sends nothing for so long is closed
  Duration standby_timeout{30'000};  // a client that neither publishes nor plays, likewise
  Duration play_wait{0};             // players wait so long for a publisher; 0: as long as it takes

  // handler = forward
  std::vector<Upstream> upstreams;  // in turn
  UpstreamPrefix upstream_prefix = UpstreamPrefix::kNone;
  Duration upstream_timeout{3'000};  // to connect and answer the handshake
  std::uint32_t upstream_fails = 3;  // failures in a row that take an upstream out ...
  Duration upstream_pause{10'000};   // ... for so long

  friend bool operator==(const VhostSettings&, const VhostSettings&) = default;
};

}  // namespace mpb
