#include <unistd.h>

#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr std::size_t kFlood = 400'000;
constexpr std::size_t kHandoffFlood = 2'000'000;

/// Until it is enough or the broker ends it.
void flood(Rogue& rogue, const std::string& datagram, std::size_t count = kFlood) {
  while (count > 0 && rogue.send(datagram)) --count;
}

void flood_load(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Load{});
  flood(rogue, datagram);
}

template <class List>
void flood_empty_list(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, List{});
  flood(rogue, datagram);
}

std::string notice_about(std::string_view name) {
  Notice notice;
  notice.reason = Reason::kKey;
  notice.address = "192.0.2.1:1\nevent=exit slot=0";
  notice.vhost = name;
  notice.app = "\xff\x1b[2J";
  notice.stream = "\",\"event\":\"exit";
  std::string datagram;
  channel::encode(datagram, notice);
  return datagram;
}

/// Within its budget of messages, and far above what is told of clients.
void many_notices(Rogue& rogue) {
  for (int i = 0; i < 5'000; ++i) rogue.send(notice_about("v" + std::to_string(i)));
}

/// An Ack goes with each client: those of none are messages as any.
void flood_ack(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Ack{});
  flood(rogue, datagram);
}

channel::Handoff refused_handoff() {
  channel::Handoff message;
  message.client.attempts = UINT8_MAX;
  return message;
}

void flood_handoffs(Rogue& rogue) {
  const Connection connection = unix_connection();
  for (std::size_t i = 0; i < kHandoffFlood; ++i) {
    if (!rogue.hand_off(refused_handoff(), connection.server.get())) return;
  }
}

/// As many offers as it takes, each with its verdict: within the rules.
void many_handoffs(Rogue& rogue) {
  const Connection connection = unix_connection();
  for (std::size_t i = 0; i < 60'000; ++i) {
    rogue.hand_off(refused_handoff(), connection.server.get());
    const std::size_t unsettled = i + 1 - rogue.verdicts();
    if (unsettled < rogue.window() / 2) continue;
    rogue.behave_until([&] { return rogue.verdicts() == i + 1; });
  }
  rogue.send_load(0, 0);
}

/// Offers `count` clients of a key whose owner, in slot 2, says nothing.
void overrun_window(Rogue& rogue, std::uint32_t count, std::size_t unconsumed) {
  const Connection connection = unix_connection();
  const std::string bytes(unconsumed, 'M');
  for (std::uint32_t i = 0; i < count; ++i) {
    channel::Handoff message;
    message.client.key = "10";
    message.client.unconsumed = bytes;
    if (!rogue.hand_off(message, connection.server.get())) return;
  }
}

void sleep_for_ever(Rogue& rogue) {
  rogue.tell_done();
  while (true) ::pause();
}

void hoard(Rogue& rogue) {
  rogue.tell_done();
  rogue.behave();
}

/// Refuses every client, for ever.
template <std::uint8_t Reason, bool Reports>
void refuse_all(Rogue& rogue) {
  rogue.on_delivery = [&rogue](Delivery delivery) {
    rogue.send_nack(delivery.id, Reason);
    if (Reports) rogue.send_load(0, 0);
  };
}

/// Takes every client, says nothing to it, and says that nobody is there.
void swallow_all(Rogue& rogue) {
  static std::vector<UniqueFd> clients;
  rogue.on_delivery = [&rogue](Delivery delivery) {
    rogue.send_ack({&delivery.id, 1});
    rogue.send_load(0, 0);
    clients.push_back(std::move(delivery.client));
  };
}

/// Has clients of as many keys as it can get, and keeps all.
void own_many_keys(Rogue& rogue) {
  static const Connection connection = unix_connection();
  constexpr std::size_t kKeys = 500;
  for (std::size_t i = 0; i < kKeys; ++i) {
    const std::string key = "taken " + std::to_string(i);
    channel::Handoff message;
    message.client.key = key;
    rogue.hand_off(message, connection.server.get());
    rogue.behave_until([&] { return rogue.verdicts() == i + 1; });
  }
}

/// Gives up keys that it never had, many at a time.
void flood_void_idles(Rogue& rogue) {
  std::string keys;
  for (std::uint32_t i = 0; i < 1'000; ++i) channel::append_key(keys, {i + 1, 0, "never"});
  std::string datagram;
  std::string_view rest = keys;
  channel::encode(datagram, channel::Idle{channel::take_key_batch(rest)});
  flood(rogue, datagram);
}

/// Adopts every client and offers it again at once, under a key that is the other rogue's.
void ping_pong(Rogue& rogue, std::string_view others_key) {
  static std::string key(others_key);
  rogue.on_delivery = [&rogue](Delivery delivery) {
    rogue.send_ack({&delivery.id, 1});
    channel::Handoff message;
    message.client.key = key;
    rogue.hand_off(message, delivery.client.get());
  };
  static std::vector<Connection> connections(20);
  for (Connection& connection : connections) {
    connection = unix_connection();
    channel::Handoff message;
    message.client.key = key;
    rogue.hand_off(message, connection.server.get());
  }
}

/// One client, offered many times as different ones, to the worker that owns "7".
void same_client_many_times(Rogue& rogue) {
  Connection connection = unix_connection();
  for (std::uint32_t i = 0; i < rogue.window(); ++i) {
    channel::Handoff message;
    message.client.key = "7";
    rogue.hand_off(message, connection.server.get());
  }
  connection.server.reset();
  rogue.behave_until([&] { return rogue.verdicts() == rogue.window(); });
  connection.client.reset();
}

constexpr Attack kAttacks[] = {
    {"flood-load", Stage::kOnline, flood_load},
    {"flood-idle", Stage::kOnline, [](Rogue& r) { flood_empty_list<channel::Idle>(r); }},
    {"flood-nack", Stage::kOnline, [](Rogue& r) { flood_empty_list<channel::Nack>(r); }},
    {"flood-notices", Stage::kOnline, [](Rogue& r) { flood(r, notice_about("a.test")); }},
    {"many-notices", Stage::kOnline, many_notices},
    {"flood-ack", Stage::kOnline, flood_ack},
    {"flood-handoffs", Stage::kOnline, flood_handoffs},
    {"many-handoffs", Stage::kOnline, many_handoffs},
    {"overrun-window", Stage::kOnline, [](Rogue& r) { overrun_window(r, r.window() + 1, 0); }},
    {"fill-window", Stage::kOnline, [](Rogue& r) { overrun_window(r, r.window(), 80'000); }},
    {"hoard", Stage::kOnline, hoard},
    {"never-read", Stage::kOnline, sleep_for_ever},
    {"refuse-full", Stage::kOnline, refuse_all<1, false>},
    {"refuse-draining", Stage::kOnline, refuse_all<2, false>},
    {"refuse-no-descriptor", Stage::kOnline, refuse_all<3, false>},
    {"refuse-unknown", Stage::kOnline, refuse_all<4, false>},
    {"refuse-full-and-report", Stage::kOnline, refuse_all<1, true>},
    {"swallow-all", Stage::kOnline, swallow_all},
    {"own-many-keys", Stage::kOnline, own_many_keys},
    {"flood-void-idles", Stage::kOnline, flood_void_idles},
    {"ping-pong-to-9", Stage::kOnline, [](Rogue& r) { ping_pong(r, "9"); }},
    {"ping-pong-to-10", Stage::kOnline, [](Rogue& r) { ping_pong(r, "10"); }},
    {"same-client-many-times", Stage::kOnline, same_client_many_times},
};

}  // namespace

std::span<const Attack> load_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
