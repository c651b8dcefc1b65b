// What is told of a single client: that it publishes, does so no more, or was refused, and why. The
// numbers are those of the channel (docs/channel-protocol.md), the names those of events and
// status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mpb {

/// Why a client was refused something, or why what it published has ended. New ones come at the
/// end, with their name below.
enum class Reason : std::uint8_t {
  kNone,
  kKey,               // its stream key is missing or wrong
  kTokenMissing,      // or malformed
  kTokenWrong,        // not one of this stream
  kTokenExpired,      // was good once
  kAddress,           // allow and deny lists
  kHookRefused,       // by the web server
  kHookFailed,        // the web server gave no usable answer
  kHookTimeout,       // nor any in time
  kMaxPlayers,        // limits, by their options
  kMaxPublishers,     //
  kMaxBitrate,        //
  kClientsPerSource,  //
  kBusy,              // nobody has room
  kTaken,             // somebody else publishes the stream
  kReplaced,          // by another publisher of the stream
  kName,              // the name of its stream, app or vhost is none that can be
  kVhost,             // its vhost is not served
  kUpstream,          // no upstream server answers, or there is none
  kHeaderTimeout,     // time limits, by their options
  kIdleTimeout,       //
  kRouteTimeout,      //
  kSendTimeout,       //
  kPublishTimeout,    //
  kStandbyTimeout,    //
  kPlayWait,          //
  kProtocol,          // it broke its protocol, or asks for what cannot be now
  kKicked,            // by the operator
  kEnded,             // by its own wish
  kSilenceTimeout,    // time limit, by its option
  kDescriptors,       // it said nothing, and another client needed its descriptor
  kPrefix,            // it sent a proxy's prefix, and is none whose word counts
  kHookBusy,          // too many wait for the answer of a web server
  kWaiting,           // it waits for too many streams that nobody publishes
  kMediaMemory,       // too much memory is held for it, or there is none
};

inline constexpr std::array<std::string_view, 35> kReasonNames{
    "",
    "key",
    "token-missing",
    "token-wrong",
    "token-expired",
    "address",
    "hook-refused",
    "hook-failed",
    "hook-timeout",
    "max-players",
    "max-publishers",
    "max-bitrate",
    "clients-per-source",
    "busy",
    "taken",
    "replaced",
    "name",
    "vhost",
    "upstream",
    "header-timeout",
    "idle-timeout",
    "route-timeout",
    "send-timeout",
    "publish-timeout",
    "standby-timeout",
    "play-wait",
    "protocol",
    "kicked",
    "ended",
    "silence-timeout",
    "descriptors",
    "prefix",
    "hook-busy",
    "waiting",
    "media-memory",
};
inline constexpr std::size_t kReasons = kReasonNames.size();
inline constexpr Reason kLastReason = Reason::kMediaMemory;
static_assert(static_cast<std::size_t>(kLastReason) + 1 == kReasons);

/// Whether clients are refused for it; the others are why a publication ended.
constexpr bool is_refusal(Reason reason) {
  return reason != Reason::kNone && reason != Reason::kReplaced && reason != Reason::kSendTimeout &&
         reason != Reason::kKicked && reason != Reason::kEnded;
}

constexpr std::string_view to_string(Reason reason) {
  return kReasonNames[static_cast<std::size_t>(reason)];
}

/// Numbers by reason, such as how many clients were refused for it.
using ReasonCounts = std::array<std::uint64_t, kReasons>;

struct Notice {
  enum class Kind : std::uint8_t { kPublish = 1, kUnpublish = 2, kRefused = 3 };
  /// What the client was about to do.
  enum class Action : std::uint8_t { kNone = 0, kConnect = 1, kPublish = 2, kPlay = 3 };

  Kind kind = Kind::kRefused;
  Reason reason = Reason::kNone;
  Action action = Action::kNone;
  std::uint32_t suppressed = 0;  // notices of this kind that were held back since the last one
  // Clients' words, each of any bytes; empty: not known, or there is none.
  std::string_view address;  // "192.0.2.1:1234", as a proxy told it; else the socket's peer
  std::string_view vhost;
  std::string_view app;
  std::string_view stream;
  std::string_view key;  // that it belongs to, of a protocol without vhosts
};

constexpr std::string_view to_string(Notice::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames{"", "publish", "unpublish", "refused"};
  return kNames[static_cast<std::size_t>(kind)];
}
constexpr std::string_view to_string(Notice::Action action) {
  constexpr std::array<std::string_view, 4> kNames{"", "connect", "publish", "play"};
  return kNames[static_cast<std::size_t>(action)];
}

/// Calls `tell(name, text)` for what is known, in the order in which it is told.
template <class F>
void for_each_text(const Notice& notice, F&& tell) {
  const auto known = [&tell](std::string_view name, std::string_view text) {
    if (!text.empty()) tell(name, text);
  };
  known("reason", to_string(notice.reason));
  known("action", to_string(notice.action));
  known("address", notice.address);
  known("vhost", notice.vhost);
  known("app", notice.app);
  known("stream", notice.stream);
  known("key", notice.key);
}

}  // namespace mpb
