#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr int kUsageExit = 2;

[[noreturn]] void sleep_for_ever() {
  while (true) ::pause();
}

void close_channel(Rogue& rogue) {
  rogue.tell_done();
  ::close(Rogue::channel_fd());
  sleep_for_ever();
}

/// The broker sees the end of the channel, or can send no more.
void shut_channel(Rogue& rogue, int how) {
  rogue.tell_done();
  ::shutdown(Rogue::channel_fd(), how);
  sleep_for_ever();
}

void shut_listener(Rogue& rogue) {
  ::shutdown(rogue.listening_socket(), SHUT_RDWR);
}

void ignore_drain(Rogue& rogue) {
  rogue.obeys_drain = false;
  ::signal(SIGTERM, SIG_IGN);
}

/// Children that hold the channel send what `datagram` is for ever, while their parent ends.
void leave_children(Rogue& rogue, const std::string& datagram, int descriptor) {
  constexpr int kChildren = 4;
  constexpr unsigned kLongest = 60;  // seconds
  for (int i = 0; i < kChildren; ++i) {
    if (::fork() != 0) continue;
    ::alarm(kLongest);
    bool open = true;
    while (open) open = descriptor < 0 ? rogue.send(datagram) : rogue.send(datagram, descriptor);
    ::_exit(0);
  }
  ::_exit(0);
}

void leave_children_with_acks(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Ack{});
  leave_children(rogue, datagram, -1);
}

void leave_children_with_clients(Rogue& rogue) {
  channel::Handoff message;
  message.client.listener = rogue.first_listener();
  message.client.attempts = UINT8_MAX;
  std::string datagram;
  channel::encode(datagram, message);
  const Connection connection = unix_connection();
  leave_children(rogue, datagram, connection.server.get());
}

void stop_itself(Rogue& rogue) {
  rogue.tell_done();
  ::raise(SIGSTOP);
}

constexpr Attack kAttacks[] = {
    {"close-channel", Stage::kOnline, close_channel},
    {"close-channel-before-ready", Stage::kStarted, close_channel},
    {"shut-channel-writing", Stage::kOnline, [](Rogue& r) { shut_channel(r, SHUT_WR); }},
    {"shut-channel-reading", Stage::kOnline, [](Rogue& r) { shut_channel(r, SHUT_RD); }},
    {"shut-listener", Stage::kOnline, shut_listener},
    {"ignore-drain", Stage::kOnline, ignore_drain},
    {"stop-itself", Stage::kOnline, stop_itself},
    {"stop-itself-before-ready", Stage::kStarted, stop_itself},
    {"never-ready", Stage::kStarted, [](Rogue&) { sleep_for_ever(); }},
    {"exit-at-once", Stage::kBorn, [](Rogue&) { ::_exit(0); }},
    {"exit-when-online", Stage::kOnline, [](Rogue&) { ::_exit(0); }},
    {"exit-usage", Stage::kBorn, [](Rogue&) { ::_exit(kUsageExit); }},
    {"leave-children-with-acks", Stage::kOnline, leave_children_with_acks},
    {"leave-children-with-clients", Stage::kOnline, leave_children_with_clients},
    {"abort", Stage::kOnline, [](Rogue&) { ::abort(); }},
};

}  // namespace

std::span<const Attack> process_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
