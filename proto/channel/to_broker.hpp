// What a worker says to the broker.
#pragma once

#include <cstdint>
#include <string_view>

#include "mpbroker/notice.hpp"
#include "proto/channel/format.hpp"

namespace mpb::channel {

struct Ready {
  static constexpr Type kType = Type::kReady;
  std::uint32_t pid = 0;
  std::uint16_t version = kVersion;  // of the channel: what both will speak

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.pid);
    io(m.version);
  }
};

/// A client somebody else may own: a copy of its descriptor comes along, the origin keeps its own.
struct Handoff {
  static constexpr Type kType = Type::kHandoff;
  std::uint64_t handoff = 0;
  Traveller client;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.handoff);
    io.traveller(m.client);
  }
};

struct Load {
  static constexpr Type kType = Type::kLoad;
  static constexpr std::uint16_t kDraining = 1;  // it takes no more clients
  std::uint32_t clients = 0;                     // routed clients served here
  std::uint32_t held = 0;  // all client descriptors here, unrouted and parked ones included
  std::uint16_t flags = 0;
  friend bool operator==(const Load&, const Load&) = default;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
    walk_counts(m, io);
  }
  template <class M, class Io>
  static void walk_counts(M& m, Io& io) {
    io(m.clients);
    io(m.held);
  }
};

/// What a worker has counted, in blocks.
struct Pong {
  static constexpr Type kType = Type::kPong;
  std::uint64_t nonce = 0;
  std::string_view blocks;  // see next_block()

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.nonce);
    io.text(m.blocks, kMaxPayload, "");
    io.check(are_blocks(m.blocks), "Pong with a broken block");
  }
};

/// A piece of what answers a Query.
struct Answer {
  static constexpr Type kType = Type::kAnswer;
  static constexpr std::uint16_t kLast = 1;
  static constexpr std::uint16_t kUnknown = 2;  // is the question to this worker
  std::uint64_t nonce = 0;                      // the Query's
  std::uint16_t flags = 0;
  List<std::uint64_t> totals;  // beside the list; the same in each piece
  std::string_view records;    // whole ones: see next_record()

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.nonce);
    io.flags(m.flags);
    io.list(m.totals);
    io.text(m.records, kMaxPayload, "");
    io.check(are_records(m.records), "Answer with a broken record");
  }
};

using mpb::Notice;  // each text at most kMaxName bytes

struct Ack {
  static constexpr Type kType = Type::kAck;
  Load load;
  List<std::uint64_t> deliveries;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    Load::walk(m.load, io);
    io.list(m.deliveries);
  }
};

using Idle = KeyList<Type::kIdle>;

/// A worker's answer to Resync; sent as often as needed, the last with kLast set.
struct ResyncReport {
  static constexpr Type kType = Type::kResyncReport;
  static constexpr std::uint16_t kLast = 1;
  static constexpr std::uint16_t kReady = 2;     // it has said Ready
  static constexpr std::uint16_t kDraining = 4;  // it takes no more clients
  std::uint16_t flags = 0;
  Load load;
  List<std::uint64_t> unsettled;   // handoffs with no verdict yet
  List<AdoptionEntry> adopted;     // the last deliveries adopted
  std::string_view owned;          // keys
  List<std::uint64_t> deliveries;  // of `adopted`, in the same order
  std::uint64_t round = 0;         // the Resync's

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.round);
    io.flags(m.flags);
    Load::walk_counts(m.load, io);
    io.list(m.unsettled);
    io.list(m.adopted);
    io.text(m.owned, kMaxPayload, "");
    io.check(are_keys(m.owned), "list with a broken key");
    io.list(m.deliveries);
    io.check(m.deliveries.size() == m.adopted.size(), "ResyncReport with an unproven adoption");
  }
};

/// A worker is about to end otherwise than it was told to.
struct Bye {
  static constexpr Type kType = Type::kBye;
  std::uint32_t code = 0;  // its exit code
  std::string_view why;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.code);
    io.text(m.why, kMaxName, "text of a Bye too long");
  }
};

/// A zygote's first word.
struct CanFork {
  static constexpr Type kType = Type::kCanFork;
  std::uint16_t version = kVersion;  // of the channel: what its workers will speak

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.version);
  }
};

/// A zygote's answer to Fork.
struct Forked {
  static constexpr Type kType = Type::kForked;
  std::uint64_t request = 0;  // the Fork's
  std::uint32_t pid = 0;      // of the worker; 0: there is none
  std::uint32_t error = 0;    // then why not (errno(3))

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.request);
    io(m.pid);
    io(m.error);
  }
};

}  // namespace mpb::channel
