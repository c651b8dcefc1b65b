// The channel between the broker and a worker: what its messages are and how they lie on the wire.
// docs/channel-protocol.md is the specification; this is its codec. Decoded messages are views:
// they hold no memory and live as long as the datagram they were read from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/base/byte_order.hpp"
#include "proto/base/decode_result.hpp"
#include "proto/channel/notice.hpp"

namespace mpb::channel {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kMaxPayload = 96 * 1024;
inline constexpr std::size_t kMaxDatagram = kHeaderSize + kMaxPayload;
inline constexpr std::size_t kMaxKey = 1024;
inline constexpr std::size_t kMaxState = 0xffff;
inline constexpr std::size_t kMaxPrefix = 80 * 1024;
/// A client's key, state and prefix together: what is left of the largest payload.
inline constexpr std::size_t kMaxClient = kMaxPayload - 32;
inline constexpr std::size_t kMaxName = 255;
/// Of Listen::prefix_from: an IPv6 address, and how many of its bits count.
inline constexpr std::size_t kNetworkEntry = 17;
inline constexpr std::size_t kMaxArgument = 4096;
inline constexpr std::size_t kMaxAnswerPiece = 64 * 1024;
/// All pieces of one answer together.
inline constexpr std::size_t kMaxAnswer = 16 * 1024 * 1024;
/// Senders put at most this many entries into one list message.
inline constexpr std::size_t kMaxListEntries = 1024;

enum class Type : std::uint8_t {
  kConfigure = 0x01,
  kListen = 0x02,
  kUnlisten = 0x03,
  kStart = 0x04,
  kDeliver = 0x05,
  kKeep = 0x06,
  kSettled = 0x07,
  kNack = 0x08,
  kOwn = 0x09,
  kDisown = 0x0a,
  kDrain = 0x0b,
  kPing = 0x0c,
  kResync = 0x0d,
  kVhosts = 0x0e,
  kQuery = 0x0f,
  kReady = 0x11,
  kHandoff = 0x12,
  kAck = 0x13,
  kIdle = 0x15,
  kLoad = 0x16,
  kPong = 0x17,
  kResyncReport = 0x18,
  kAnswer = 0x19,
  kNotice = 0x1a,
};

/// Why a client was not taken (Nack, both directions).
enum class NackReason : std::uint8_t {
  kFull = 1,          // W->B: at its limit of clients
  kDraining = 2,      // W->B: takes no more clients
  kNoDescriptor = 3,  // the descriptor was lost on the way (receiver at its limit): still yours
  kUnknown = 4,       // W->B: no such listener here
  kRetry = 5,         // B->W: offer it again now, the situation has changed
  kBusy = 6,          // B->W: nobody can take it: refuse it in its protocol's words
  kLoop = 7,          // B->W: offered too many times: refuse it
};

/// What a key is called on the wire. Keys of one space mean the same owner on all its listeners.
struct KeyEntry {
  std::uint32_t epoch = 0;
  std::uint16_t space = 0;
  std::string_view key;
};

struct KeepEntry {
  static constexpr std::size_t kSize = 24;
  std::uint64_t handoff = 0;
  std::uint64_t delivery = 0;
  std::uint32_t epoch = 0;
};

struct NackEntry {
  static constexpr std::size_t kSize = 16;
  std::uint64_t id = 0;
  NackReason reason = NackReason::kRetry;
};

struct AdoptionEntry {
  static constexpr std::size_t kSize = 16;
  std::uint64_t handoff = 0;
  std::uint16_t origin = 0;
};

// --- broker to worker ----------------------------------------------------------------------------

struct Configure {
  static constexpr std::uint16_t kTakesNotices = 1;  // header flag: Notice, and refusals in Pong
  std::uint16_t slot = 0;
  std::uint16_t max_attempts = 0;
  std::uint32_t max_clients = 0;  // 0: no limit
  std::uint32_t window = 0;       // unsettled handoffs a worker may have
  std::uint32_t header_timeout_ms = 0;
  std::uint32_t idle_timeout_ms = 0;  // 0: none
  std::uint32_t send_timeout_ms = 0;  // 0: none
  std::uint32_t route_timeout_ms = 0;
  std::uint32_t key_linger_ms = 0;
  std::uint32_t drain_timeout_ms = 0;
  std::uint32_t clients_per_source = 0;  // 0: no limit
  std::uint16_t flags = 0;
  std::uint64_t gop_memory = 0;          // bytes kept for players to begin with; 0: no limit
  std::uint64_t media_memory = 0;        // bytes held for clients in all; 0: no limit
  std::uint32_t silence_timeout_ms = 0;  // 0: none
};

struct Listen {
  static constexpr std::uint16_t kAccepts = 1;      // header flag: the listening socket comes along
  static constexpr std::uint16_t kServeLocal = 2;   // header flag: serve clients where accepted
  static constexpr std::uint16_t kKeyIsStream = 4;  // header flag: key = vhost/app/stream
  static constexpr std::uint16_t kProxyProtocol = 8;  // header flag: a PROXY prefix comes first
  static constexpr std::uint16_t kSrsRealIp = 16;     // header flag: a 0xF3 prefix may come first
  static constexpr std::uint16_t kBeside = 32;        // header flag: accept from those before, too
  std::uint64_t listener = 0;
  std::uint16_t flags = 0;
  std::uint16_t space = 0;
  std::string_view name;
  std::string_view protocol;
  std::string_view handler;
  std::string_view prefix_from{};  // kNetworkEntry each: who is believed when it sends a prefix
};

struct Unlisten {
  std::uint64_t listener = 0;
};

struct Start {};

/// A client that is now this worker's: the descriptor comes along.
struct Deliver {
  static constexpr std::uint16_t kTcp = 1;  // header flag: `tcp`
  std::uint64_t delivery = 0;
  std::uint64_t handoff = 0;  // the origin's id, for Resync
  std::uint16_t origin = 0;   // the origin's slot
  std::uint16_t listener = 0;
  std::uint32_t epoch = 0;  // 0: the receiver serves this client but does not own its key
  std::uint16_t hops = 0;   // how many times this client was handed over, this time included
  bool tcp = false;         // the broker has seen that its socket is one of TCP or MPTCP
  std::string_view key;
  std::string_view state;
  std::string_view prefix;
};

struct Drain {
  std::uint32_t deadline_ms = 0;
};

struct Ping {
  std::uint64_t nonce = 0;
};

struct Resync {};

/// A question of the operator's.
struct Query {
  std::uint64_t nonce = 0;
  std::string_view question;  // 1 to kMaxName bytes
  std::string_view argument;
};

/// A part of the settings of all vhosts, or of what is different in them; it holds once the last
/// part has come.
struct Vhosts {
  static constexpr std::uint16_t kFirst = 1;    // header flag: a new set, or change, begins
  static constexpr std::uint16_t kLast = 2;     // header flag: it is complete
  static constexpr std::uint16_t kChange = 4;   // header flag: of others, all stays as it was
  static constexpr std::uint16_t kRemoved = 8;  // header flag, with kChange: `text` has names, one
                                                // a line, of vhosts that are no more
  std::uint16_t flags = 0;
  std::string_view text;  // whole sections of a configuration file
};

// --- worker to broker ----------------------------------------------------------------------------

struct Ready {
  static constexpr std::uint16_t kTakesChanges = 1;  // header flag: see Vhosts::kChange
  std::uint32_t pid = 0;
  std::uint16_t flags = 0;
};

/// A client somebody else may own: a copy of its descriptor comes along, the origin keeps its own.
struct Handoff {
  std::uint64_t handoff = 0;
  std::uint16_t listener = 0;
  std::uint16_t hops = 0;
  std::uint8_t attempts = 0;  // how often this handoff was offered before
  bool counted = false;       // the origin serves it: it is among the origin's `clients`
  std::string_view key;
  std::string_view state;
  std::string_view prefix;
};

struct Load {
  std::uint32_t clients = 0;  // routed clients served here
  std::uint32_t held = 0;     // all client descriptors here, unrouted and parked ones included
};

struct Pong {
  static constexpr std::uint16_t kRefusals = 1;  // header flag: see below
  std::uint64_t nonce = 0;
  std::uint16_t flags = 0;
  std::string_view refusals;  // u64 each: clients refused, by Reason; with kRefusals only
  std::string_view counters;  // u64 each, in the order of the specification; may be cut short
};

/// A piece of the JSON text that answers a Query.
struct Answer {
  static constexpr std::uint16_t kLast = 1;  // header flag
  std::uint64_t nonce = 0;                   // the Query's
  std::uint16_t flags = 0;
  std::string_view text;
};

using mpb::Notice;

// --- lists: views of `count` entries of fixed size, or of variable size for keys
// ------------------

struct Ack {
  Load load;
  std::string_view deliveries;  // u64 each
};
struct Settled {
  std::string_view handoffs;  // u64 each
};
struct Keep {
  std::string_view entries;
};
struct Nack {
  std::string_view entries;
};
struct Own {
  std::string_view entries;
};
struct Disown {
  std::string_view entries;
};
struct Idle {
  std::string_view entries;
};
/// A worker's answer to Resync; sent as often as needed, the last with kLast set.
struct ResyncReport {
  static constexpr std::uint16_t kLast = 1;  // header flag
  std::uint16_t flags = 0;
  Load load;
  std::string_view unsettled;  // u64 each: handoffs with no verdict yet
  std::string_view adopted;    // AdoptionEntry each: the last deliveries adopted
  std::string_view owned;      // KeyEntry each
};

using Message = std::variant<Configure, Listen, Unlisten, Start, Deliver, Keep, Settled, Nack, Own,
                             Disown, Drain, Ping, Resync, Vhosts, Query, Ready, Handoff, Ack, Idle,
                             Load, Pong, ResyncReport, Answer, Notice>;

/// Reads one whole datagram: exact length, known version and type, every field within its bound.
DecodeResult<Message> decode(std::string_view datagram);

/// True when a message of this kind carries a descriptor.
bool carries_descriptor(const Message& message);

// Walk the lists of a decoded message (decode has checked that they are whole).
template <class F>
void for_each_id(std::string_view ids, F&& f) {
  for (std::size_t i = 0; i + 8 <= ids.size(); i += 8) f(load_le<std::uint64_t>(ids.data() + i));
}
KeepEntry keep_entry_at(std::string_view entries, std::size_t offset);
NackEntry nack_entry_at(std::string_view entries, std::size_t offset);
AdoptionEntry adoption_entry_at(std::string_view entries, std::size_t offset);
template <class F>
void for_each_keep(std::string_view entries, F&& f) {
  for (std::size_t i = 0; i < entries.size(); i += KeepEntry::kSize) f(keep_entry_at(entries, i));
}
template <class F>
void for_each_nack(std::string_view entries, F&& f) {
  for (std::size_t i = 0; i < entries.size(); i += NackEntry::kSize) f(nack_entry_at(entries, i));
}
/// Takes the first entry off `entries`; false at the end.
bool next_key(std::string_view& entries, KeyEntry& entry);

// Each appends one whole datagram to `out`.
void encode(std::string& out, const Configure& message);
void encode(std::string& out, const Listen& message);
void encode(std::string& out, const Unlisten& message);
void encode(std::string& out, const Start& message);
void encode(std::string& out, const Deliver& message);
void encode(std::string& out, const Drain& message);
void encode(std::string& out, const Ping& message);
void encode(std::string& out, const Resync& message);
void encode(std::string& out, const Query& message);
void encode(std::string& out, const Vhosts& message);
void encode(std::string& out, const Ready& message);
void encode(std::string& out, const Handoff& message);
void encode(std::string& out, const Load& message);
void encode(std::string& out, const Answer& message);
/// Each text at most kMaxName bytes.
void encode(std::string& out, const Notice& message);
void encode_pong(std::string& out, std::uint64_t nonce, std::span<const std::uint64_t> counters);
/// With kRefusals.
void encode_pong(std::string& out, std::uint64_t nonce, std::span<const std::uint64_t> refusals,
                 std::span<const std::uint64_t> counters);
void encode_ack(std::string& out, Load load, std::span<const std::uint64_t> deliveries);
void encode_settled(std::string& out, std::span<const std::uint64_t> handoffs);
void encode_keep(std::string& out, std::span<const KeepEntry> entries);
void encode_nack(std::string& out, std::span<const NackEntry> entries);
/// Appends one entry to `payload`, which encode_keys then sends as kOwn, kDisown or kIdle.
void append_key(std::string& payload, const KeyEntry& entry);
void encode_keys(std::string& out, Type type, std::string_view payload);
/// Takes whole entries of at most about kKeyBatch bytes off the front of `entries`.
inline constexpr std::size_t kKeyBatch = 32 * 1024;
std::string_view take_key_batch(std::string_view& entries);
void encode_resync_report(std::string& out, std::uint16_t flags, Load load,
                          std::span<const std::uint64_t> unsettled,
                          std::span<const AdoptionEntry> adopted, std::string_view owned);

}  // namespace mpb::channel
