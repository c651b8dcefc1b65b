// How channel messages lie on the wire: what they have in common. docs/channel-protocol.md is the
// specification.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/channel/list.hpp"

namespace mpb::channel {

inline constexpr std::uint8_t kVersion = 2;  // the only one that is spoken
inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kMaxPayload = 96 * 1024;
inline constexpr std::size_t kMaxDatagram = kHeaderSize + kMaxPayload;
inline constexpr std::size_t kMaxKey = 1024;
inline constexpr std::size_t kMaxState = 0xffff;
inline constexpr std::size_t kMaxUnconsumed = 80 * 1024;
/// A client's key, state and unconsumed bytes together: what is left of the largest payload.
inline constexpr std::size_t kMaxClient = kMaxPayload - 64;
/// All that is said of a client: what a Deliver has room for.
inline constexpr std::size_t kMaxTraveller = kMaxPayload - 32;
inline constexpr std::size_t kMaxName = 255;
/// Of Listen::prefix_from: an IPv6 address, and how many of its bits count.
inline constexpr std::size_t kNetworkEntry = 17;
inline constexpr std::size_t kMaxArgument = 4096;
/// The records of all pieces of one answer together.
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
  kBye = 0x1b,
  kPost = 0x20,
  kLetter = 0x21,
  kUndeliverable = 0x22,
  kCredit = 0x23,
  kJoin = 0x24,
  kSubscribe = 0x25,
  kEvent = 0x26,
  kTables = 0x30,
  kTableChanges = 0x31,
  kTableResults = 0x32,
  kTableOperation = 0x38,
  kFork = 0x50,
  kCanFork = 0x51,
  kForked = 0x52,
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
  kUncertain = 8,     // B->W: whoever may have had it has ended: offer it again if nobody has read
                      // or written it since, else close it
};

struct KeepEntry {
  std::uint64_t handoff = 0;
  std::uint64_t delivery = 0;
  std::uint32_t epoch = 0;
  std::uint32_t reserved = 0;
};

struct NackEntry {
  std::uint64_t id = 0;
  NackReason reason = NackReason::kRetry;
  std::array<std::uint8_t, 7> reserved{};
};

struct AdoptionEntry {
  std::uint64_t handoff = 0;
  std::uint16_t origin = 0;
  std::array<std::uint8_t, 6> reserved{};
};

/// What a block of counters in a Pong is about. Receivers skip those that they do not know.
enum class BlockKind : std::uint16_t {
  kWorker = 1,    // of the worker itself
  kRefusals = 2,  // clients refused, by Reason
  kListener = 3,  // of the listener with this number
};

struct Block {
  BlockKind kind{};
  std::uint16_t number = 0;
  List<std::uint64_t> counters;  // may end after any of them
};
void append_block(std::string& blocks, const Block& block);
/// Takes the first block off `blocks`; false at the end, and where the rest is broken.
bool next_block(std::string_view& blocks, Block& block);

// Whether what a message holds is whole.
bool are_blocks(std::string_view blocks);
bool are_keys(std::string_view keys);
bool are_records(std::string_view records);
bool are_nacks(const List<NackEntry>& entries);

/// A client on its way: what the next worker must know, beside its descriptor. Lies in a Handoff as
/// in a Deliver, so the broker passes it on as it came.
struct Traveller {
  std::uint16_t listener = 0;
  std::uint16_t hops = 0;     // how often it was handed over before
  std::uint8_t attempts = 0;  // how often it was offered before, in this move
  bool counted = false;       // its origin serves it: it is among the origin's `clients`
  std::string_view key;
  std::string_view state;       // of its handler; opaque
  std::string_view unconsumed;  // bytes read from it and not consumed
  std::string_view wire{};      // all of these as they came, if they did: written instead of them

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.listener);
    io(m.hops);
    io(m.attempts);
    io.boolean(m.counted);
    io.reserved(2);
    io.text(m.key, kMaxKey, "key too long");
    io.text(m.state, kMaxState, "state too long");
    io.text(m.unconsumed, kMaxUnconsumed, "unconsumed bytes too long");
  }
};

/// Both ways.
struct Nack {
  static constexpr Type kType = Type::kNack;
  List<NackEntry> entries;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.list(m.entries);
    io.check(are_nacks(m.entries), "unknown Nack reason");
  }
};

/// Own, Disown and Idle: `keys` as append_key() makes them.
template <Type kTypeOfList>
struct KeyList {
  static constexpr Type kType = kTypeOfList;
  std::string_view keys;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.text(m.keys, kMaxPayload, "");
    io.check(are_keys(m.keys), "list with a broken key");
  }
};
}  // namespace mpb::channel
