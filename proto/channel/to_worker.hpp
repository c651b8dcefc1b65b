// What the broker says to a worker.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/channel/format.hpp"

namespace mpb::channel {

/// The settings of a worker. It comes first of all, and again when they have changed.
struct Configure {
  static constexpr Type kType = Type::kConfigure;
  // Versions of the channel that the broker speaks. Up to Ready all is of version 2, for ever.
  std::uint16_t oldest_version = kVersion;
  std::uint16_t newest_version = kVersion;
  std::uint16_t slot = 0;
  std::uint32_t window = 0;      // unsettled handoffs a worker may have
  List<std::uint64_t> settings;  // in the order of the specification; may end after any

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.oldest_version);
    io(m.newest_version);
    io(m.slot);
    io.reserved(2);
    io(m.window);
    io.list(m.settings);
  }
};

struct Listen {
  static constexpr Type kType = Type::kListen;
  static constexpr std::uint16_t kAccepts = 1;        // the listening socket comes along
  static constexpr std::uint16_t kServeLocal = 2;     // serve clients where accepted
  static constexpr std::uint16_t kKeyIsStream = 4;    // key = vhost/app/stream
  static constexpr std::uint16_t kProxyProtocol = 8;  // a PROXY prefix comes first
  static constexpr std::uint16_t kSrsRealIp = 16;     // a 0xF3 prefix may come first
  static constexpr std::uint16_t kBeside = 32;        // accept from those before, too
  static constexpr std::uint16_t kSpread = 64;        // offer clients without a key
  static constexpr std::uint16_t kKeyIsApp = 128;     // key = vhost/app
  std::uint16_t listener = 0;
  std::uint16_t flags = 0;
  std::uint16_t space = 0;
  std::string_view name;
  std::string_view protocol;
  std::string_view handler;
  std::string_view prefix_from{};  // kNetworkEntry each: who is believed when it sends a prefix

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
    io(m.listener);
    io(m.space);
    io.text(m.name, kMaxName, "name too long");
    io.text(m.protocol, kMaxName, "name too long");
    io.text(m.handler, kMaxName, "name too long");
    io.text(m.prefix_from, kMaxPayload, "");
    io.check(m.prefix_from.size() % kNetworkEntry == 0, "Listen with a broken network");
  }
};

struct Unlisten {
  static constexpr Type kType = Type::kUnlisten;
  std::uint16_t listener = 0;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.listener);
  }
};

struct Start {
  static constexpr Type kType = Type::kStart;
  template <class M, class Io>
  static void walk(M&, Io&) {}
};

/// A client that is now this worker's: the descriptor comes along.
struct Deliver {
  static constexpr Type kType = Type::kDeliver;
  static constexpr std::uint16_t kTcp = 1;
  std::uint64_t delivery = 0;
  std::uint64_t handoff = 0;  // the origin's id, for Resync
  std::uint16_t origin = 0;   // the origin's slot
  std::uint32_t epoch = 0;    // 0: the receiver serves this client but does not own its key
  std::uint16_t flags = 0;    // kTcp: its socket was seen to be one of TCP or MPTCP
  Traveller client;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.delivery);
    io.flags(m.flags);
    io(m.handoff);
    io(m.epoch);
    io(m.origin);
    io.reserved(2);
    io.traveller(m.client);
  }
};

struct Drain {
  static constexpr Type kType = Type::kDrain;
  static constexpr std::uint32_t kNoDeadline = UINT32_MAX;  // until the last client has left
  std::uint32_t deadline_ms = 0;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io(m.deadline_ms);
  }
};

struct Ping {
  static constexpr Type kType = Type::kPing;
  std::uint64_t nonce = 0;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.nonce);
  }
};

struct Resync {
  static constexpr Type kType = Type::kResync;
  std::uint64_t round = 0;  // another for each broker

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.round);
  }
};

/// A question of the operator's.
struct Query {
  static constexpr Type kType = Type::kQuery;
  std::uint64_t nonce = 0;
  std::string_view question;  // 1 to kMaxName bytes
  std::string_view argument;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.nonce);
    io.text(m.question, kMaxName, "question too long");
    io.check(!m.question.empty(), "question empty");
    io.text(m.argument, kMaxArgument, "argument too long");
  }
};

/// A part of the settings of all vhosts, or of what is different in them; it holds once the last
/// part has come.
struct Vhosts {
  static constexpr Type kType = Type::kVhosts;
  static constexpr std::uint16_t kFirst = 1;    // a new set, or change, begins
  static constexpr std::uint16_t kLast = 2;     // it is complete
  static constexpr std::uint16_t kChange = 4;   // of others, all stays as it was
  static constexpr std::uint16_t kRemoved = 8;  // with kChange: `text` has names, one a line, of
                                                // vhosts that are no more
  std::uint16_t flags = 0;
  std::string_view text;  // whole sections of a configuration file

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
    io.text(m.text, kMaxPayload, "");
  }
};

struct Settled {
  static constexpr Type kType = Type::kSettled;
  List<std::uint64_t> handoffs;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.list(m.handoffs);
  }
};

struct Keep {
  static constexpr Type kType = Type::kKeep;
  List<KeepEntry> entries;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.list(m.entries);
  }
};

using Own = KeyList<Type::kOwn>;
using Disown = KeyList<Type::kDisown>;

/// To a zygote alone: a worker is wanted, whose end of the channel comes along.
struct Fork {
  static constexpr Type kType = Type::kFork;
  std::uint64_t request = 0;
  std::uint16_t slot = 0;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.request);
    io(m.slot);
  }
};

}  // namespace mpb::channel
