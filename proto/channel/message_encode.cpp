#include <array>

#include "proto/channel/message.hpp"

namespace mpb::channel {
namespace {

void append_header(std::string& out, Type type, std::size_t length, std::uint64_t id = 0,
                   std::uint16_t flags = 0) {
  std::array<char, kHeaderSize> bytes{};
  bytes[0] = static_cast<char>(kVersion);
  bytes[1] = static_cast<char>(type);
  std::memcpy(&bytes[2], &flags, sizeof flags);
  const auto length32 = static_cast<std::uint32_t>(length);
  std::memcpy(&bytes[4], &length32, sizeof length32);
  std::memcpy(&bytes[8], &id, sizeof id);
  out.append(bytes.data(), bytes.size());
}

template <class T>
void append_client(std::string& out, const T& m) {
  append_le(out, static_cast<std::uint16_t>(m.key.size()));
  append_le(out, static_cast<std::uint16_t>(m.state.size()));
  append_le(out, static_cast<std::uint32_t>(m.prefix.size()));
  out.append(m.key).append(m.state).append(m.prefix);
}

template <class T>
std::size_t client_size(const T& m) {
  return 8 + m.key.size() + m.state.size() + m.prefix.size();
}

}  // namespace

void encode(std::string& out, const Configure& m) {
  append_header(out, Type::kConfigure, 60, 0, m.flags);
  append_le(out, m.slot);
  append_le(out, m.max_attempts);
  for (const std::uint32_t field :
       {m.max_clients, m.window, m.header_timeout_ms, m.idle_timeout_ms, m.send_timeout_ms,
        m.route_timeout_ms, m.key_linger_ms, m.drain_timeout_ms, m.clients_per_source}) {
    append_le(out, field);
  }
  append_le(out, m.gop_memory);
  append_le(out, m.media_memory);
  append_le(out, m.silence_timeout_ms);
}

void encode(std::string& out, const Listen& m) {
  append_header(out, Type::kListen,
                8 + m.name.size() + m.protocol.size() + m.handler.size() + m.prefix_from.size(),
                m.listener, m.flags);
  append_le(out, m.space);
  append_le(out, static_cast<std::uint16_t>(m.name.size()));
  append_le(out, static_cast<std::uint16_t>(m.protocol.size()));
  append_le(out, static_cast<std::uint16_t>(m.handler.size()));
  out.append(m.name).append(m.protocol).append(m.handler).append(m.prefix_from);
}

void encode(std::string& out, const Unlisten& m) {
  append_header(out, Type::kUnlisten, 0, m.listener);
}

void encode(std::string& out, const Start&) {
  append_header(out, Type::kStart, 0);
}

void encode(std::string& out, const Deliver& m) {
  append_header(out, Type::kDeliver, 24 + client_size(m), m.delivery, m.tcp ? Deliver::kTcp : 0);
  append_le(out, m.handoff);
  append_le(out, m.origin);
  append_le(out, m.listener);
  append_le(out, m.epoch);
  append_le(out, m.hops);
  out.append(6, '\0');
  append_client(out, m);
}

void encode(std::string& out, const Drain& m) {
  append_header(out, Type::kDrain, 4);
  append_le(out, m.deadline_ms);
}

void encode(std::string& out, const Ping& m) {
  append_header(out, Type::kPing, 0, m.nonce);
}

void encode(std::string& out, const Resync&) {
  append_header(out, Type::kResync, 0);
}

void encode(std::string& out, const Query& m) {
  append_header(out, Type::kQuery, 2 + m.question.size() + m.argument.size(), m.nonce);
  append_le(out, static_cast<std::uint16_t>(m.question.size()));
  out.append(m.question).append(m.argument);
}

void encode(std::string& out, const Vhosts& m) {
  append_header(out, Type::kVhosts, m.text.size(), 0, m.flags);
  out.append(m.text);
}

void encode(std::string& out, const Ready& m) {
  append_header(out, Type::kReady, 4, 0, m.flags);
  append_le(out, m.pid);
}

void encode(std::string& out, const Handoff& m) {
  append_header(out, Type::kHandoff, 8 + client_size(m), m.handoff);
  append_le(out, m.listener);
  append_le(out, m.hops);
  append_le(out, m.attempts);
  append_le(out, static_cast<std::uint8_t>(m.counted ? 1 : 0));
  out.append(2, '\0');
  append_client(out, m);
}

void encode(std::string& out, const Load& m) {
  append_header(out, Type::kLoad, 8);
  append_le(out, m.clients);
  append_le(out, m.held);
}

void encode(std::string& out, const Answer& m) {
  append_header(out, Type::kAnswer, m.text.size(), m.nonce, m.flags);
  out.append(m.text);
}

void encode(std::string& out, const Notice& m) {
  const std::array texts{m.address, m.vhost, m.app, m.stream, m.key};
  std::size_t size = 0;
  for (const std::string_view text : texts) size += text.size();
  append_header(out, Type::kNotice, 20 + size);
  append_le(out, static_cast<std::uint8_t>(m.kind));
  append_le(out, static_cast<std::uint8_t>(m.reason));
  append_le(out, static_cast<std::uint8_t>(m.action));
  out.append(1, '\0');
  append_le(out, m.suppressed);
  for (const std::string_view text : texts) append_le(out, static_cast<std::uint16_t>(text.size()));
  out.append(2, '\0');
  for (const std::string_view text : texts) out.append(text);
}

void encode_pong(std::string& out, std::uint64_t nonce, std::span<const std::uint64_t> counters) {
  append_header(out, Type::kPong, counters.size_bytes(), nonce);
  for (const std::uint64_t counter : counters) append_le(out, counter);
}

void encode_pong(std::string& out, std::uint64_t nonce, std::span<const std::uint64_t> refusals,
                 std::span<const std::uint64_t> counters) {
  append_header(out, Type::kPong, 8 + refusals.size_bytes() + counters.size_bytes(), nonce,
                Pong::kRefusals);
  append_le(out, std::uint64_t{refusals.size()});
  for (const std::uint64_t counter : refusals) append_le(out, counter);
  for (const std::uint64_t counter : counters) append_le(out, counter);
}

void encode_ack(std::string& out, Load load, std::span<const std::uint64_t> deliveries) {
  append_header(out, Type::kAck, 8 + deliveries.size_bytes());
  append_le(out, load.clients);
  append_le(out, load.held);
  for (const std::uint64_t id : deliveries) append_le(out, id);
}

void encode_settled(std::string& out, std::span<const std::uint64_t> handoffs) {
  append_header(out, Type::kSettled, handoffs.size_bytes());
  for (const std::uint64_t id : handoffs) append_le(out, id);
}

void encode_keep(std::string& out, std::span<const KeepEntry> entries) {
  append_header(out, Type::kKeep, entries.size() * KeepEntry::kSize);
  for (const KeepEntry& entry : entries) {
    append_le(out, entry.handoff);
    append_le(out, entry.delivery);
    append_le(out, entry.epoch);
    out.append(4, '\0');
  }
}

void encode_nack(std::string& out, std::span<const NackEntry> entries) {
  append_header(out, Type::kNack, entries.size() * NackEntry::kSize);
  for (const NackEntry& entry : entries) {
    append_le(out, entry.id);
    append_le(out, static_cast<std::uint8_t>(entry.reason));
    out.append(7, '\0');
  }
}

void append_key(std::string& payload, const KeyEntry& entry) {
  append_le(payload, entry.epoch);
  append_le(payload, entry.space);
  append_le(payload, static_cast<std::uint16_t>(entry.key.size()));
  payload.append(entry.key);
}

void encode_keys(std::string& out, Type type, std::string_view payload) {
  append_header(out, type, payload.size());
  out.append(payload);
}

void encode_resync_report(std::string& out, std::uint16_t flags, Load load,
                          std::span<const std::uint64_t> unsettled,
                          std::span<const AdoptionEntry> adopted, std::string_view owned) {
  append_header(out, Type::kResyncReport,
                16 + unsettled.size_bytes() + adopted.size() * AdoptionEntry::kSize + owned.size(),
                0, flags);
  append_le(out, load.clients);
  append_le(out, load.held);
  append_le(out, static_cast<std::uint32_t>(unsettled.size()));
  append_le(out, static_cast<std::uint32_t>(adopted.size()));
  for (const std::uint64_t id : unsettled) append_le(out, id);
  for (const AdoptionEntry& entry : adopted) {
    append_le(out, entry.handoff);
    append_le(out, entry.origin);
    out.append(6, '\0');
  }
  out.append(owned);
}

}  // namespace mpb::channel
