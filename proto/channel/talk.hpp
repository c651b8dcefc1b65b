// What workers say to one another through the broker, and what it tells them of one another.
#pragma once

#include <cstdint>
#include <string_view>

#include "mpbroker/bus.hpp"
#include "proto/channel/format.hpp"

namespace mpb::channel {

inline constexpr std::size_t kMaxTopic = Bus::kMaxTopic;
inline constexpr std::size_t kMaxPayloadOfLetter = Bus::kMaxPayload;
/// All that is said in a letter beside its address.
inline constexpr std::size_t kMaxContent = kMaxPayloadOfLetter + 256;
// What a worker may have posted without credit for it again, and what of that may wait for one
// receiver: an eighth, so that receivers which have stopped leave room for letters to others.
inline constexpr std::uint32_t kShareLetters = 512;
inline constexpr std::uint32_t kShareBytes = 512 * 1024;
inline constexpr std::uint32_t kWindowLetters = 8 * kShareLetters;
inline constexpr std::uint32_t kWindowBytes = 8 * kShareBytes;
/// In the place of a slot: nobody's, or the operator.
inline constexpr std::uint16_t kOperatorSlot = kOperator.slot;

/// What a letter says. Lies in a Post as in a Letter, so the broker passes it on as it came.
struct Content {
  enum class Kind : std::uint8_t {
    kNews,     // no answer is expected
    kRequest,  // a reply with this correlation is
    kReply,    // to the request with this correlation
    kRefusal,  // the same: nobody there takes requests of this topic
  };
  Kind kind = Kind::kNews;
  std::uint64_t correlation = 0;  // chosen by who requests
  std::string_view topic;
  std::string_view payload;
  std::string_view wire{};  // all of these as they came, if they did: written instead of them

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.code(m.kind, Kind::kNews, Kind::kRefusal, "unknown kind of a letter");
    io.reserved(7);
    io(m.correlation);
    io.text(m.topic, kMaxTopic, "topic too long");
    io.text(m.payload, kMaxPayloadOfLetter, "payload of a letter too long");
  }
};

/// See To.
struct Address {
  using Kind = To::Kind;
  Kind kind = Kind::kSlot;
  std::uint16_t slot = 0;
  std::uint32_t generation = 0;
  std::uint16_t space = 0;
  std::string_view name;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.code(m.kind, Kind::kWorker, Kind::kOperators, "unknown address of a Post");
    io.reserved(1);
    io(m.slot);
    io(m.generation);
    io(m.space);
    io.reserved(2);
    io.text(m.name, kMaxKey, "name too long");
  }
  [[nodiscard]] bool many() const { return kind == Kind::kAll || kind == Kind::kGroup; }
};

inline constexpr std::uint16_t kWithDescriptor = 1;  // flag of Post and Letter

/// A letter on its way to the broker.
struct Post {
  static constexpr Type kType = Type::kPost;
  std::uint64_t id = 0;  // the sender's; see Undeliverable
  std::uint16_t flags = 0;
  Address to;
  Content content;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.id);
    io.flags(m.flags);
    Address::walk(m.to, io);
    io.content(m.content);
  }
};

/// Of its datagram.
inline std::size_t posted_bytes(const Post& post) {
  constexpr std::size_t kFixed = 32;  // header and address
  return kFixed + post.to.name.size() + post.content.wire.size();
}

/// A letter on its way to a worker.
struct Letter {
  static constexpr Type kType = Type::kLetter;
  std::uint64_t number = 0;  // of a letter to many: its place in their order; else 0
  std::uint16_t flags = 0;
  std::uint16_t slot = kOperatorSlot;  // the sender's
  std::uint32_t generation = 0;
  Content content;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.number);
    io.flags(m.flags);
    io(m.slot);
    io.reserved(2);
    io(m.generation);
    io.content(m.content);
  }
};

struct LossEntry {
  std::uint64_t letter = 0;      // the Post's id
  std::uint32_t generation = 0;  // of the receiver
  std::uint16_t slot = kOperatorSlot;
  Loss why = Loss::kNoWorker;
  std::uint8_t reserved = 0;
};

struct Undeliverable {
  static constexpr Type kType = Type::kUndeliverable;
  List<LossEntry> entries;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.list(m.entries);
  }
};

/// So much more may be posted: a Post counts as one and with all bytes of its datagram.
struct Credit {
  static constexpr Type kType = Type::kCredit;
  std::uint32_t letters = 0;
  std::uint32_t bytes = 0;
  std::uint32_t generation = 0;  // the receiver's own

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.letters);
    io(m.bytes);
    io(m.generation);
  }
};

/// The sender takes letters to a group.
struct Join {
  static constexpr Type kType = Type::kJoin;
  static constexpr std::uint16_t kLeave = 1;  // takes them no more
  std::uint16_t flags = 0;
  std::string_view group;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
    io.text(m.group, kMaxTopic, "name of a group too long");
    io.check(!m.group.empty(), "name of a group empty");
  }
};

/// The sender wants Events: first who is online.
struct Subscribe {
  static constexpr Type kType = Type::kSubscribe;
  static constexpr std::uint16_t kStop = 1;  // none any more
  std::uint16_t flags = 0;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
  }
};

/// See WorkerEvent. A worker ignores the kinds that it does not know.
struct Event {
  static constexpr Type kType = Type::kEvent;
  std::uint8_t kind = 0;
  std::uint16_t slot = kOperatorSlot;
  std::uint32_t generation = 0;
  std::uint64_t count = 0;
  std::string_view detail;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.kind);
    io.reserved(1);
    io(m.slot);
    io(m.generation);
    io(m.count);
    io.text(m.detail, kMaxName, "text of an Event too long");
  }
};

}  // namespace mpb::channel
