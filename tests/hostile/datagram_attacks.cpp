#include <sys/socket.h>

#include <algorithm>

#include "proto/base/byte_order.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kLoad = 0x16;
constexpr std::uint8_t kAck = 0x13;
constexpr std::uint8_t kIdle = 0x15;
constexpr std::uint8_t kPong = 0x17;
constexpr std::uint8_t kNotice = 0x1a;
constexpr std::uint8_t kNack = 0x08;
constexpr std::uint8_t kHandoff = 0x12;
constexpr std::size_t kMaxDatagram = 98'320;

std::string message(std::uint8_t type, const std::string& payload) {
  return raw_header(kVersion, type, 0, static_cast<std::uint32_t>(payload.size()), 0) + payload;
}

/// A Handoff's or Deliver's *client*, with lengths that need not be those of the texts.
std::string client_part(std::size_t key, std::size_t state, std::size_t unconsumed,
                        const std::string& texts) {
  std::string part;
  std::size_t at = 0;
  for (const std::size_t length : {key, state, unconsumed}) {
    append_le(part, static_cast<std::uint32_t>(length));
    part += texts.substr(std::min(at, texts.size()), length);
    at += length;
  }
  return part;
}

void hand_off_raw(Rogue& rogue, const std::string& client) {
  const Connection connection = unix_connection();
  rogue.send(message(kHandoff, std::string(8, '\0') + client), connection.server.get());
}

void hand_off_sized(Rogue& rogue, std::size_t key, std::size_t state, std::size_t unconsumed) {
  hand_off_raw(rogue,
               client_part(key, state, unconsumed, std::string(key + state + unconsumed, 'x')));
}

/// A list of these bytes.
std::string listed(const std::string& entries) {
  std::string list;
  append_le(list, static_cast<std::uint32_t>(entries.size()));
  return list + entries;
}

void send_load_as(Rogue& rogue, std::uint8_t version, std::uint32_t length) {
  rogue.send(raw_header(version, kLoad, 0, length, 0) + std::string(8, '\0'));
}

void send_idle(Rogue& rogue, std::uint16_t length, std::size_t key) {
  std::string entry(6, '\0');
  append_le(entry, length);
  rogue.send(message(kIdle, listed(entry + std::string(key, 'k'))));
}

void send_empty(Rogue& rogue, int descriptor) {
  // A datagram of no bytes carries no descriptor on a socket of this kind.
  rogue.send({});
  if (descriptor >= 0) rogue.send({}, descriptor);
}

constexpr Attack kAttacks[] = {
    {"garbage", Stage::kOnline, [](Rogue& r) { r.send(std::string(64, '\xff')); }},
    {"zeros", Stage::kOnline, [](Rogue& r) { r.send(std::string(64, '\0')); }},
    {"garbage-instead-of-ready", Stage::kStarted,
     [](Rogue& r) { r.send("GET / HTTP/1.1\r\n\r\n"); }},
    {"version-0", Stage::kOnline, [](Rogue& r) { send_load_as(r, 0, 8); }},
    {"version-1", Stage::kOnline, [](Rogue& r) { send_load_as(r, 1, 8); }},
    {"type-0", Stage::kOnline, [](Rogue& r) { r.send(message(0x00, "")); }},
    {"type-14", Stage::kOnline, [](Rogue& r) { r.send(message(0x14, "")); }},
    {"type-1c", Stage::kOnline, [](Rogue& r) { r.send(message(0x1c, "")); }},
    {"notice-empty", Stage::kOnline, [](Rogue& r) { r.send(message(kNotice, "")); }},
    {"notice-of-no-kind", Stage::kOnline,
     [](Rogue& r) { r.send(message(kNotice, "\x09" + std::string(27, '\0'))); }},
    {"notice-of-no-reason", Stage::kOnline,
     [](Rogue& r) { r.send(message(kNotice, "\x03\xff" + std::string(26, '\0'))); }},
    {"notice-too-long", Stage::kOnline,
     [](Rogue& r) {
       r.send(message(kNotice, "\3" + std::string(7, '\0') + listed(std::string(256, 'a')) +
                                   std::string(16, '\0')));
     }},
    {"pong-with-fewer-counters", Stage::kOnline,
     [](Rogue& r) { r.send(message(kPong, listed(std::string(8, '\x01')))); }},
    {"type-ff", Stage::kOnline, [](Rogue& r) { r.send(message(0xff, "")); }},
    {"one-byte", Stage::kOnline, [](Rogue& r) { r.send("\x01"); }},
    {"short-header", Stage::kOnline, [](Rogue& r) { r.send(message(kLoad, "").substr(0, 15)); }},
    {"length-too-small", Stage::kOnline, [](Rogue& r) { send_load_as(r, kVersion, 7); }},
    {"length-too-large", Stage::kOnline, [](Rogue& r) { send_load_as(r, kVersion, 9); }},
    {"length-huge", Stage::kOnline, [](Rogue& r) { send_load_as(r, kVersion, UINT32_MAX); }},
    {"payload-missing", Stage::kOnline, [](Rogue& r) { r.send(message(kLoad, "")); }},
    {"says-more-than-is-known", Stage::kOnline,
     [](Rogue& r) {
       r.send(message(kLoad, std::string(9, '\0')));
       r.send(message(kIdle, listed({}) + "and more"));
     }},
    {"says-more-of-a-client", Stage::kOnline,
     [](Rogue& r) {
       hand_off_raw(r, client_part(4, 0, 1, "7777W") + "and more");
       r.behave_until([&] { return r.settled == 1; });
     }},
    {"datagram-too-long", Stage::kOnline,
     [](Rogue& r) { r.send(message(kAck, std::string(kMaxDatagram - 16 + 1, '\0'))); }},
    {"datagram-far-too-long", Stage::kOnline,
     [](Rogue& r) { r.send(std::string(150'000, '\x01')); }},
    {"empty-datagram", Stage::kOnline, [](Rogue& r) { send_empty(r, -1); }},
    {"empty-datagram-with-descriptor", Stage::kOnline,
     [](Rogue& r) { send_empty(r, unix_connection().server.get()); }},
    {"ack-broken-entry", Stage::kOnline,
     [](Rogue& r) { r.send(message(kAck, std::string(8, '\0') + listed(std::string(7, '\0')))); }},
    {"nack-broken-entry", Stage::kOnline,
     [](Rogue& r) { r.send(message(kNack, listed(std::string(15, '\1')))); }},
    {"idle-broken-entry", Stage::kOnline, [](Rogue& r) { send_idle(r, 10, 9); }},
    {"idle-long-key", Stage::kOnline, [](Rogue& r) { send_idle(r, 1025, 1025); }},
    {"pong-broken-counter", Stage::kOnline,
     [](Rogue& r) { r.send(message(kPong, listed(std::string(7, '\0')))); }},
    {"handoff-long-key", Stage::kOnline, [](Rogue& r) { hand_off_sized(r, 1025, 0, 0); }},
    {"handoff-long-state", Stage::kOnline, [](Rogue& r) { hand_off_sized(r, 1, 65'535, 32'705); }},
    {"handoff-long-unconsumed", Stage::kOnline, [](Rogue& r) { hand_off_sized(r, 1, 0, 81'921); }},
    {"handoff-huge-lengths", Stage::kOnline,
     [](Rogue& r) { hand_off_raw(r, client_part(UINT16_MAX, UINT16_MAX, UINT32_MAX, "x")); }},
    {"handoff-missing-bytes", Stage::kOnline,
     [](Rogue& r) { hand_off_raw(r, client_part(4, 4, 4, std::string(11, 'x'))); }},
    {"handoff-surplus-bytes", Stage::kOnline,
     [](Rogue& r) {
       hand_off_raw(r, client_part(4, 4, 4, std::string(12, 'x')) + std::string(98'270, 'x'));
     }},
};

}  // namespace

std::span<const Attack> datagram_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
