// The messages of the channel between the broker and a worker, and how they are read.
// docs/channel-protocol.md is the specification. Each message names its fields once, in walk(), in
// the order of the wire; the codec is one reader and one writer (encode.hpp) that walk them.
// Decoded messages are views: they hold no memory and live as long as the datagram they were read
// from.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <variant>

#include "proto/base/decode_result.hpp"
#include "proto/channel/tables.hpp"
#include "proto/channel/talk.hpp"
#include "proto/channel/to_broker.hpp"
#include "proto/channel/to_worker.hpp"

namespace mpb::channel {

using Message = std::variant<Configure, Listen, Unlisten, Start, Deliver, Keep, Settled, Nack, Own,
                             Disown, Drain, Ping, Resync, Vhosts, Query, Fork, Ready, Handoff, Ack,
                             Idle, Load, Pong, ResyncReport, Answer, Notice, Bye, CanFork, Forked,
                             Post, Letter, Undeliverable, Credit, Join, Subscribe, Event, Tables,
                             TableChanges, TableResults, TableOperation>;

template <class M>
inline constexpr Type kTypeOf = M::kType;
template <>
inline constexpr Type kTypeOf<Notice> = Type::kNotice;

template <class M, class Io>
void walk(M& message, Io& io) {
  std::remove_const_t<M>::walk(message, io);
}
template <class M, class Io>
requires std::same_as<std::remove_const_t<M>, Notice>
void walk(M& notice, Io& io) {
  io.code(notice.kind, Notice::Kind::kPublish, Notice::Kind::kRefused, "unknown kind of Notice");
  io.code(notice.reason, Reason::kNone, kLastReason, "unknown reason of a Notice");
  io.code(notice.action, Notice::Action::kNone, Notice::Action::kPlay,
          "unknown action of a Notice");
  io.reserved(1);
  io(notice.suppressed);
  for (auto* text : {&notice.address, &notice.vhost, &notice.app, &notice.stream, &notice.key}) {
    io.text(*text, kMaxName, "text of a Notice too long");
  }
}

/// Reads one whole datagram: exact length, known version and type, every field within its bound.
DecodeResult<Message> decode(std::string_view datagram);

/// True when a message of this kind carries a descriptor.
bool carries_descriptor(const Message& message);

}  // namespace mpb::channel
