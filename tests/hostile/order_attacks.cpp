#include <algorithm>
#include <limits>
#include <vector>

#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

using channel::Type;

template <class Message>
std::string encoded(const Message& message) {
  std::string datagram;
  channel::encode(datagram, message);
  return datagram;
}

template <class Keys>
std::string key_list(std::uint32_t first_epoch, std::uint32_t count, std::string_view key) {
  std::string entries;
  for (std::uint32_t i = 0; i < count; ++i) {
    channel::append_key(entries, {first_epoch + i, 0, key});
  }
  return encoded(Keys{entries});
}

void send_ready(Rogue& rogue) {
  rogue.send(encoded(channel::Ready{1}));
}

void send_deliver(Rogue& rogue) {
  const Connection connection = unix_connection();
  channel::Deliver message;
  message.delivery = 1;
  message.client.key = "7";
  rogue.send(encoded(message), connection.server.get());
}

void send_list(Rogue& rogue, Type type) {
  const std::uint64_t id = 1;
  const channel::KeepEntry keep{1, 1, 1};
  if (type == Type::kKeep) rogue.send(encoded(channel::Keep{std::span(&keep, 1)}));
  if (type == Type::kSettled) rogue.send(encoded(channel::Settled{std::span(&id, 1)}));
}

void send_resync_report(Rogue& rogue) {
  rogue.send(encoded(channel::ResyncReport{channel::ResyncReport::kLast, {}, {}, {}, {}}));
}

void send_pong(Rogue& rogue, std::uint64_t nonce) {
  rogue.send(encoded(channel::Pong{nonce, {}}));
}

void answer_ping_twice(Rogue& rogue) {
  rogue.last_ping = 0;
  rogue.behave_until([&] { return rogue.last_ping != 0; });
  send_pong(rogue, rogue.last_ping);
}

void ack_times(Rogue& rogue, std::size_t times) {
  const std::vector<std::uint64_t> ids(times, rogue.await_delivery().id);
  rogue.send_ack(ids);
}

/// Acks its own delivery and claims those that others may have on their way.
void ack_neighbours(Rogue& rogue) {
  const std::uint64_t own = rogue.await_delivery().id;
  std::vector<std::uint64_t> ids;
  for (std::uint64_t id = own - 500; id < own + 500; ++id) ids.push_back(id);
  rogue.send_ack(ids);
}

void nack_after_ack(Rogue& rogue) {
  const std::uint64_t id = rogue.await_delivery().id;
  rogue.send_ack({&id, 1});
  rogue.send_nack(id, 1);
}

void nack_with(Rogue& rogue, std::uint8_t reason) {
  rogue.send_nack(rogue.await_delivery().id, reason);
}

/// The key "21" has an owner, another worker.
void idle_of_others(Rogue& rogue) {
  rogue.send(key_list<channel::Idle>(0, 1000, "21"));
  rogue.send(key_list<channel::Idle>(UINT32_MAX - 10, 10, "21"));
  rogue.send(key_list<channel::Idle>(1, 100, ""));
}

/// All of these are offers of a client whose verdict must come, whatever it is.
void hand_off_and_await(Rogue& rogue, channel::Handoff message, std::uint16_t listener) {
  const Connection connection = unix_connection();
  message.handoff = rogue.next_handoff();
  message.client.listener = listener;
  rogue.send(encoded(message), connection.server.get());
  rogue.behave_until([&] { return rogue.verdicts() == 1; });
}

void offered_too_often(Rogue& rogue) {
  channel::Handoff message;
  message.client.attempts = UINT8_MAX;
  hand_off_and_await(rogue, message, rogue.first_listener());
  const bool refused =
      rogue.refused.size() == 1 && rogue.refused.begin()->second == channel::NackReason::kLoop;
  if (!refused) rogue.send("the test fails");
}

void hops_at_their_limit(Rogue& rogue) {
  channel::Handoff message;
  message.client.hops = std::numeric_limits<std::uint16_t>::max();
  message.client.key = "7";
  hand_off_and_await(rogue, message, rogue.first_listener());
}

void unknown_listener(Rogue& rogue) {
  channel::Handoff message;
  message.client.key = "unknown";
  hand_off_and_await(rogue, message, 60'000);
}

void pong_with_nonsense(Rogue& rogue) {
  const std::vector<std::uint64_t> most(500, UINT64_MAX);
  for (std::uint16_t number = 0; number < 20; ++number) {
    const auto kind = static_cast<channel::BlockKind>(number % 5);
    channel::append_block(rogue.pong_blocks, {kind, number, std::span(most)});
  }
  const std::uint64_t before = rogue.last_ping;
  rogue.behave_until([&] { return rogue.last_ping > before + 20; });
  rogue.pong_blocks.clear();
  rogue.behave_until([&] { return rogue.last_ping > before + 22; });
}

void untrue_load(Rogue& rogue) {
  rogue.send_load(UINT32_MAX, UINT32_MAX);
  rogue.send_load(UINT32_MAX, 0);
  rogue.send_ack({}, {UINT32_MAX, UINT32_MAX});
}

constexpr Attack kAttacks[] = {
    {"load-before-ready", Stage::kStarted, [](Rogue& r) { r.send_load(1, 1); }},
    {"pong-before-ready", Stage::kStarted, [](Rogue& r) { send_pong(r, 1); }},
    {"second-ready", Stage::kOnline, send_ready},
    {"ready-of-another-version", Stage::kStarted,
     [](Rogue& r) {
       r.send(encoded(channel::Ready{1, 9}));
     }},
    {"two-readies-at-once", Stage::kStarted, [](Rogue& r) { send_ready(r), send_ready(r); }},
    {"says-configure", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Configure{})); }},
    {"says-listen", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Listen{})); }},
    {"says-unlisten", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Unlisten{})); }},
    {"says-start", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Start{})); }},
    {"says-deliver", Stage::kOnline, send_deliver},
    {"says-keep", Stage::kOnline, [](Rogue& r) { send_list(r, Type::kKeep); }},
    {"says-settled", Stage::kOnline, [](Rogue& r) { send_list(r, Type::kSettled); }},
    {"says-own", Stage::kOnline, [](Rogue& r) { r.send(key_list<channel::Own>(1, 1, "7")); }},
    {"says-disown", Stage::kOnline, [](Rogue& r) { r.send(key_list<channel::Disown>(1, 1, "7")); }},
    {"says-drain", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Drain{})); }},
    {"says-ping", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Ping{1})); }},
    {"says-resync", Stage::kOnline, [](Rogue& r) { r.send(encoded(channel::Resync{})); }},
    {"resync-report-unasked", Stage::kOnline, send_resync_report},
    {"pong-unasked", Stage::kOnline, [](Rogue& r) { send_pong(r, 12'345'678); }},
    {"pong-twice", Stage::kOnline, answer_ping_twice},
    {"ack-unknown", Stage::kOnline,
     [](Rogue& r) {
       const std::uint64_t id = 12'345;
       r.send_ack({&id, 1});
     }},
    {"ack-twice", Stage::kOnline, [](Rogue& r) { ack_times(r, 2); }},
    {"ack-of-others", Stage::kOnline, ack_neighbours},
    {"nack-unknown", Stage::kOnline, [](Rogue& r) { r.send_nack(12'345, 1); }},
    {"nack-after-ack", Stage::kOnline, nack_after_ack},
    {"nack-reason-0", Stage::kOnline, [](Rogue& r) { nack_with(r, 0); }},
    {"nack-reason-retry", Stage::kOnline, [](Rogue& r) { nack_with(r, 5); }},
    {"nack-reason-busy", Stage::kOnline, [](Rogue& r) { nack_with(r, 6); }},
    {"nack-reason-loop", Stage::kOnline, [](Rogue& r) { nack_with(r, 7); }},
    {"nack-reason-8", Stage::kOnline, [](Rogue& r) { nack_with(r, 8); }},
    {"idle-of-others", Stage::kOnline, idle_of_others},
    {"offered-too-often", Stage::kOnline, offered_too_often},
    {"hops-at-their-limit", Stage::kOnline, hops_at_their_limit},
    {"unknown-listener", Stage::kOnline, unknown_listener},
    {"pong-with-nonsense", Stage::kOnline, pong_with_nonsense},
    {"untrue-load", Stage::kOnline, untrue_load},
};

}  // namespace

std::span<const Attack> order_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
