#include <array>

#include "proto/channel/message.hpp"

namespace mpb::channel {
namespace {

using Failure = DecodeResult<Message>;

struct Header {
  std::uint8_t version = 0;
  Type type{};
  std::uint16_t flags = 0;
  std::uint32_t length = 0;
  std::uint64_t id = 0;
};

Header read_header(ByteReader& in) {
  Header header;
  header.version = in.number<std::uint8_t>();
  header.type = static_cast<Type>(in.number<std::uint8_t>());
  header.flags = in.number<std::uint16_t>();
  header.length = in.number<std::uint32_t>();
  header.id = in.number<std::uint64_t>();
  return header;
}

Failure finish(const ByteReader& in, const Message& message) {
  if (!in.ok()) return Failure::failure("payload too short");
  if (!in.at_end()) return Failure::failure("payload too long");
  return message;
}

bool valid_keys(std::string_view entries) {
  ByteReader in(entries);
  while (in.ok() && !in.rest().empty()) {
    in.number<std::uint32_t>();
    in.number<std::uint16_t>();
    const auto length = in.number<std::uint16_t>();
    if (length > kMaxKey) return false;
    in.bytes(length);
  }
  return in.ok();
}

bool valid_nacks(std::string_view entries) {
  for (std::size_t i = 0; i < entries.size(); i += NackEntry::kSize) {
    const auto reason = static_cast<std::uint8_t>(entries[i + 8]);
    if (reason < static_cast<std::uint8_t>(NackReason::kFull) ||
        reason > static_cast<std::uint8_t>(NackReason::kLoop)) {
      return false;
    }
  }
  return true;
}

Failure decode_list(const Header& header, std::string_view payload) {
  const auto whole = [&](std::size_t size) { return payload.size() % size == 0; };
  switch (header.type) {
    case Type::kKeep:
      if (whole(KeepEntry::kSize)) return Message{Keep{payload}};
      break;
    case Type::kSettled:
      if (whole(8)) return Message{Settled{payload}};
      break;
    case Type::kNack:
      if (!whole(NackEntry::kSize)) break;
      if (!valid_nacks(payload)) return Failure::failure("unknown Nack reason");
      return Message{Nack{payload}};
    case Type::kOwn:
      if (valid_keys(payload)) return Message{Own{payload}};
      break;
    case Type::kDisown:
      if (valid_keys(payload)) return Message{Disown{payload}};
      break;
    case Type::kIdle:
      if (valid_keys(payload)) return Message{Idle{payload}};
      break;
    default:
      return Failure::failure("unknown message type");
  }
  return Failure::failure("list with a broken entry");
}

Failure decode_configure(const Header& header, ByteReader& in) {
  Configure m;
  m.flags = header.flags;
  m.slot = in.number<std::uint16_t>();
  m.max_attempts = in.number<std::uint16_t>();
  m.max_clients = in.number<std::uint32_t>();
  m.window = in.number<std::uint32_t>();
  m.header_timeout_ms = in.number<std::uint32_t>();
  m.idle_timeout_ms = in.number<std::uint32_t>();
  m.send_timeout_ms = in.number<std::uint32_t>();
  m.route_timeout_ms = in.number<std::uint32_t>();
  m.key_linger_ms = in.number<std::uint32_t>();
  m.drain_timeout_ms = in.number<std::uint32_t>();
  m.clients_per_source = in.number<std::uint32_t>();
  m.gop_memory = in.number<std::uint64_t>();
  m.media_memory = in.number<std::uint64_t>();
  m.silence_timeout_ms = in.number<std::uint32_t>();
  return finish(in, m);
}

Failure decode_listen(const Header& header, ByteReader& in) {
  Listen m;
  m.listener = header.id;
  m.flags = header.flags;
  m.space = in.number<std::uint16_t>();
  const auto name = in.number<std::uint16_t>();
  const auto protocol = in.number<std::uint16_t>();
  const auto handler = in.number<std::uint16_t>();
  if (name > kMaxName || protocol > kMaxName || handler > kMaxName) {
    return Failure::failure("name too long");
  }
  if (header.id > UINT16_MAX) return Failure::failure("listener number too large");
  m.name = in.bytes(name);
  m.protocol = in.bytes(protocol);
  m.handler = in.bytes(handler);
  m.prefix_from = in.bytes(in.rest().size());
  if (m.prefix_from.size() % kNetworkEntry != 0) {
    return Failure::failure("Listen with a broken network");
  }
  return finish(in, m);
}

Failure decode_query(const Header& header, ByteReader& in) {
  Query m;
  m.nonce = header.id;
  const auto question = in.number<std::uint16_t>();
  if (in.ok() && question == 0) return Failure::failure("question empty");
  if (question > kMaxName) return Failure::failure("question too long");
  m.question = in.bytes(question);
  m.argument = in.bytes(in.rest().size());
  if (m.argument.size() > kMaxArgument) return Failure::failure("argument too long");
  return finish(in, m);
}

Failure decode_answer(const Header& header, ByteReader& in) {
  const Answer m{header.id, header.flags, in.bytes(in.rest().size())};
  if (m.text.size() > kMaxAnswerPiece) return Failure::failure("piece of an answer too long");
  return finish(in, m);
}

Failure decode_notice(ByteReader& in) {
  Notice m;
  const auto kind = in.number<std::uint8_t>();
  const auto reason = in.number<std::uint8_t>();
  const auto action = in.number<std::uint8_t>();
  in.bytes(1);
  m.suppressed = in.number<std::uint32_t>();
  std::array<std::uint16_t, 5> sizes{};
  for (std::uint16_t& size : sizes) {
    size = in.number<std::uint16_t>();
    if (size > kMaxName) return Failure::failure("text of a Notice too long");
  }
  in.bytes(2);
  m.address = in.bytes(sizes[0]);
  m.vhost = in.bytes(sizes[1]);
  m.app = in.bytes(sizes[2]);
  m.stream = in.bytes(sizes[3]);
  m.key = in.bytes(sizes[4]);
  if (!in.ok()) return Failure::failure("payload too short");
  if (kind == 0 || kind > static_cast<std::uint8_t>(Notice::Kind::kRefused)) {
    return Failure::failure("unknown kind of Notice");
  }
  if (reason >= kReasons) return Failure::failure("unknown reason of a Notice");
  if (action > static_cast<std::uint8_t>(Notice::Action::kPlay)) {
    return Failure::failure("unknown action of a Notice");
  }
  m.kind = static_cast<Notice::Kind>(kind);
  m.reason = static_cast<Reason>(reason);
  m.action = static_cast<Notice::Action>(action);
  return finish(in, m);
}

Failure decode_pong(const Header& header, ByteReader& in) {
  Pong m{header.id, header.flags, {}, {}};
  if ((m.flags & Pong::kRefusals) != 0) {
    const auto count = in.number<std::uint64_t>();
    if (!in.ok() || count > in.rest().size() / 8) {
      return Failure::failure("Pong with fewer counters than it says");
    }
    m.refusals = in.bytes(static_cast<std::size_t>(count) * 8);
  }
  m.counters = in.rest();
  if (m.counters.size() % 8 != 0) return Failure::failure("Pong with a broken counter");
  return Message{m};
}

/// The part that Handoff and Deliver share; false when a length is over its bound.
template <class T>
bool read_client(ByteReader& in, T& m) {
  const auto key = in.number<std::uint16_t>();
  const auto state = in.number<std::uint16_t>();
  const auto prefix = in.number<std::uint32_t>();
  static_assert(kMaxState == UINT16_MAX);
  if (key > kMaxKey || prefix > kMaxPrefix) return false;
  if (std::size_t{key} + state + prefix > kMaxClient) return false;
  m.key = in.bytes(key);
  m.state = in.bytes(state);
  m.prefix = in.bytes(prefix);
  return true;
}

Failure decode_handoff(const Header& header, ByteReader& in) {
  Handoff m;
  m.handoff = header.id;
  m.listener = in.number<std::uint16_t>();
  m.hops = in.number<std::uint16_t>();
  m.attempts = in.number<std::uint8_t>();
  m.counted = (in.number<std::uint8_t>() & 1) != 0;
  in.bytes(2);
  if (!read_client(in, m)) return Failure::failure("key, state or prefix too long");
  return finish(in, m);
}

Failure decode_deliver(const Header& header, ByteReader& in) {
  Deliver m;
  m.delivery = header.id;
  m.tcp = (header.flags & Deliver::kTcp) != 0;
  m.handoff = in.number<std::uint64_t>();
  m.origin = in.number<std::uint16_t>();
  m.listener = in.number<std::uint16_t>();
  m.epoch = in.number<std::uint32_t>();
  m.hops = in.number<std::uint16_t>();
  in.bytes(6);
  if (!read_client(in, m)) return Failure::failure("key, state or prefix too long");
  return finish(in, m);
}

Failure decode_ack(ByteReader& in) {
  Ack m;
  m.load.clients = in.number<std::uint32_t>();
  m.load.held = in.number<std::uint32_t>();
  m.deliveries = in.rest();
  if (!in.ok() || m.deliveries.size() % 8 != 0) return Failure::failure("Ack with a broken entry");
  return Message{m};
}

Failure decode_resync_report(const Header& header, ByteReader& in) {
  ResyncReport m;
  m.flags = header.flags;
  m.load.clients = in.number<std::uint32_t>();
  m.load.held = in.number<std::uint32_t>();
  const auto unsettled = in.number<std::uint32_t>();
  const auto adopted = in.number<std::uint32_t>();
  m.unsettled = in.bytes(std::size_t{unsettled} * 8);
  m.adopted = in.bytes(std::size_t{adopted} * AdoptionEntry::kSize);
  m.owned = in.rest();
  if (!in.ok() || !valid_keys(m.owned)) return Failure::failure("ResyncReport with a broken entry");
  return Message{m};
}

Failure decode_simple(const Header& header, ByteReader& in) {
  switch (header.type) {
    case Type::kUnlisten:
      return finish(in, Unlisten{header.id});
    case Type::kStart:
      return finish(in, Start{});
    case Type::kDrain: {
      const Drain m{in.number<std::uint32_t>()};
      return finish(in, m);
    }
    case Type::kPing:
      return finish(in, Ping{header.id});
    case Type::kResync:
      return finish(in, Resync{});
    case Type::kVhosts:
      return Message{Vhosts{header.flags, in.rest()}};
    case Type::kReady: {
      const Ready m{in.number<std::uint32_t>(), header.flags};
      return finish(in, m);
    }
    case Type::kLoad: {
      Load m;
      m.clients = in.number<std::uint32_t>();
      m.held = in.number<std::uint32_t>();
      return finish(in, m);
    }
    default:
      return decode_list(header, in.rest());
  }
}

}  // namespace

DecodeResult<Message> decode(std::string_view datagram) {
  ByteReader in(datagram);
  const Header header = read_header(in);
  if (!in.ok()) return Failure::failure("shorter than a header");
  if (header.version != kVersion) return Failure::failure("unknown protocol version");
  if (header.length > kMaxPayload) return Failure::failure("payload over the limit");
  if (header.length != in.rest().size()) return Failure::failure("length does not match");
  switch (header.type) {
    case Type::kConfigure:
      return decode_configure(header, in);
    case Type::kListen:
      return decode_listen(header, in);
    case Type::kHandoff:
      return decode_handoff(header, in);
    case Type::kDeliver:
      return decode_deliver(header, in);
    case Type::kAck:
      return decode_ack(in);
    case Type::kResyncReport:
      return decode_resync_report(header, in);
    case Type::kQuery:
      return decode_query(header, in);
    case Type::kAnswer:
      return decode_answer(header, in);
    case Type::kNotice:
      return decode_notice(in);
    case Type::kPong:
      return decode_pong(header, in);
    default:
      return decode_simple(header, in);
  }
}

bool carries_descriptor(const Message& message) {
  if (const auto* listen = std::get_if<Listen>(&message)) {
    return (listen->flags & Listen::kAccepts) != 0;
  }
  return std::holds_alternative<Deliver>(message) || std::holds_alternative<Handoff>(message);
}

KeepEntry keep_entry_at(std::string_view entries, std::size_t offset) {
  const char* at = entries.data() + offset;
  return {load_le<std::uint64_t>(at), load_le<std::uint64_t>(at + 8),
          load_le<std::uint32_t>(at + 16)};
}

NackEntry nack_entry_at(std::string_view entries, std::size_t offset) {
  const char* at = entries.data() + offset;
  return {load_le<std::uint64_t>(at), static_cast<NackReason>(at[8])};
}

AdoptionEntry adoption_entry_at(std::string_view entries, std::size_t offset) {
  const char* at = entries.data() + offset;
  return {load_le<std::uint64_t>(at), load_le<std::uint16_t>(at + 8)};
}

std::string_view take_key_batch(std::string_view& entries) {
  std::string_view rest = entries;
  KeyEntry entry;
  while (entries.size() - rest.size() < kKeyBatch && next_key(rest, entry)) continue;
  const std::string_view batch = entries.substr(0, entries.size() - rest.size());
  entries = rest;
  return batch;
}

bool next_key(std::string_view& entries, KeyEntry& entry) {
  if (entries.empty()) return false;
  ByteReader in(entries);
  entry.epoch = in.number<std::uint32_t>();
  entry.space = in.number<std::uint16_t>();
  entry.key = in.bytes(in.number<std::uint16_t>());
  entries = in.rest();
  return in.ok();
}

}  // namespace mpb::channel
