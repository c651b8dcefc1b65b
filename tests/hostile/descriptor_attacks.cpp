#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

#include "common/io/descriptor_passing.hpp"
#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr std::size_t kMost = 253;  // SCM_MAX_FD
constexpr int kLingerSeconds = 60;

std::string handoff_of(Rogue& rogue, std::string_view key) {
  channel::Handoff message;
  message.handoff = rogue.next_handoff();
  message.client.listener = rogue.first_listener();
  message.client.key = key;
  std::string datagram;
  channel::encode(datagram, message);
  return datagram;
}

std::string load() {
  std::string datagram;
  channel::encode(datagram, channel::Load{});
  return datagram;
}

void hand_off(Rogue& rogue, int descriptor) {
  rogue.send(handoff_of(rogue, "kind"), descriptor);
}

void send_many(Rogue& rogue, const std::string& datagram, std::size_t count) {
  std::vector<Connection> connections(count);
  std::vector<int> descriptors;
  for (Connection& connection : connections) {
    connection = unix_connection();
    descriptors.push_back(connection.server.get());
  }
  rogue.send(datagram, descriptors);
}

void hand_off_pipe(Rogue& rogue, std::size_t end) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) == 0) hand_off(rogue, ends[end]);
}

/// A client that does not read, with answers under way: closing its last copy would wait for them.
Connection lingering_connection() {
  Connection connection = tcp_connection();
  const int small = 4096;
  ::setsockopt(connection.client.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const std::string bytes(1 << 16, 'x');
  while (::send(connection.server.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) continue;
  const linger patience{1, kLingerSeconds};
  ::setsockopt(connection.server.get(), SOL_SOCKET, SO_LINGER, &patience, sizeof patience);
  return connection;
}

/// Only without a sandbox a worker can.
void while_the_broker_sleeps(const std::function<void()>& action) {
  if (::kill(::getppid(), SIGSTOP) != 0) throw std::runtime_error("the broker cannot be stopped");
  // A signal takes its time; it is no child of this process, which could be waited for.
  const std::string stat = "/proc/" + std::to_string(::getppid()) + "/stat";
  for (std::string line; line.find(") T ") == std::string::npos; ::poll(nullptr, 0, 1)) {
    std::getline(std::ifstream(stat), line);
  }
  action();
  ::kill(::getppid(), SIGCONT);
}

/// The broker holds the last copies when it wakes up.
template <class Send>
void send_last_copies(std::vector<Connection>& connections, Send&& send) {
  while_the_broker_sleeps([&] {
    send();
    for (Connection& connection : connections) connection.server.reset();
  });
}

std::vector<Connection>& lingering_connections(std::size_t count) {
  static std::vector<Connection> connections;
  while (connections.size() < count) connections.push_back(lingering_connection());
  return connections;
}

void refused_lingering(Rogue& rogue) {
  auto& connections = lingering_connections(1);
  channel::Handoff message;
  message.client.attempts = UINT8_MAX;
  send_last_copies(connections, [&] { rogue.hand_off(message, connections[0].server.get()); });
  rogue.behave_until([&] { return rogue.verdicts() == 1; });
}

void ejected_with_lingering(Rogue& rogue) {
  auto& connections = lingering_connections(100);
  send_last_copies(connections, [&] {
    rogue.send("garbage");
    for (const Connection& connection : connections) hand_off(rogue, connection.server.get());
  });
}

/// A client that is a unix socket, which nobody may close without closing all that is in its queue.
void laden_client(Rogue& rogue) {
  auto& connections = lingering_connections(200);
  std::vector<int> descriptors;
  for (const Connection& connection : connections) descriptors.push_back(connection.server.get());
  static std::vector<Connection> client(1);
  client[0] = unix_connection();
  send_passing<kMostPassed>(client[0].client.get(), "x", descriptors);
  for (Connection& connection : connections) connection.server.reset();
  channel::Handoff message;
  message.client.attempts = UINT8_MAX;
  send_last_copies(client, [&] { rogue.hand_off(message, client[0].server.get()); });
  rogue.behave_until([&] { return rogue.verdicts() == 1; });
}

/// Behind the datagram that it is ejected for, as many descriptors as fit.
void empty_datagrams_behind_garbage(Rogue& rogue) {
  const std::vector<int> descriptors(kMost, STDIN_FILENO);
  while_the_broker_sleeps([&] {
    rogue.send("garbage");
    for (int i = 0; i < 40; ++i) rogue.send({}, descriptors);
  });
}

void many_lingering(Rogue& rogue) {
  auto& connections = lingering_connections(10);
  std::vector<int> descriptors;
  for (const Connection& connection : connections) descriptors.push_back(connection.server.get());
  send_last_copies(connections, [&] { rogue.send(handoff_of(rogue, "x"), descriptors); });
}

/// A client in blocking mode that reads no answers, for the worker in slot 0.
void blocking_client(Rogue& rogue) {
  static Connection connection = unix_connection();
  ::fcntl(connection.server.get(), F_SETFL, 0);
  const std::string questions(80'000, 'W');
  channel::Handoff message;
  message.client.key = "7";
  message.client.unconsumed = questions;
  rogue.hand_off(message, connection.server.get());
  rogue.behave_until([&] { return rogue.verdicts() == 1; });
}

constexpr Attack kAttacks[] = {
    {"handoff-without-descriptor", Stage::kOnline, [](Rogue& r) { r.send(handoff_of(r, "none")); }},
    {"two-descriptors", Stage::kOnline, [](Rogue& r) { send_many(r, handoff_of(r, "two"), 2); }},
    {"three-descriptors", Stage::kOnline,
     [](Rogue& r) { send_many(r, handoff_of(r, "three"), 3); }},
    {"253-descriptors", Stage::kOnline,
     [](Rogue& r) { send_many(r, handoff_of(r, "many"), kMost); }},
    {"descriptor-with-load", Stage::kOnline, [](Rogue& r) { send_many(r, load(), 1); }},
    {"253-descriptors-with-load", Stage::kOnline, [](Rogue& r) { send_many(r, load(), kMost); }},
    {"descriptor-with-garbage", Stage::kOnline, [](Rogue& r) { send_many(r, "garbage", 1); }},
    {"253-descriptors-with-garbage", Stage::kOnline,
     [](Rogue& r) { send_many(r, "garbage", kMost); }},
    {"descriptor-with-ready", Stage::kStarted,
     [](Rogue& r) {
       std::string ready;
       channel::encode(ready, channel::Ready{1});
       send_many(r, ready, 1);
     }},
    {"pipe-read-end", Stage::kOnline, [](Rogue& r) { hand_off_pipe(r, 0); }},
    {"pipe-write-end", Stage::kOnline, [](Rogue& r) { hand_off_pipe(r, 1); }},
    {"regular-file", Stage::kOnline,
     [](Rogue& r) { hand_off(r, ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }},
    {"directory", Stage::kOnline,
     [](Rogue& r) { hand_off(r, ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }},
    {"path-only", Stage::kOnline, [](Rogue& r) { hand_off(r, ::open("/", O_PATH | O_CLOEXEC)); }},
    {"device", Stage::kOnline,
     [](Rogue& r) { hand_off(r, ::open("/dev/zero", O_RDWR | O_CLOEXEC)); }},
    {"epoll", Stage::kOnline, [](Rogue& r) { hand_off(r, ::epoll_create1(EPOLL_CLOEXEC)); }},
    {"eventfd", Stage::kOnline, [](Rogue& r) { hand_off(r, ::eventfd(1, EFD_CLOEXEC)); }},
    {"memfd", Stage::kOnline, [](Rogue& r) { hand_off(r, ::memfd_create("m", MFD_CLOEXEC)); }},
    {"datagram-socket", Stage::kOnline,
     [](Rogue& r) { hand_off(r, ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }},
    {"listening-socket", Stage::kOnline, [](Rogue& r) { hand_off(r, r.listening_socket()); }},
    {"unconnected-socket", Stage::kOnline,
     [](Rogue& r) { hand_off(r, ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"the-channel-itself", Stage::kOnline, [](Rogue& r) { hand_off(r, Rogue::channel_fd()); }},
    {"lingering-client-refused", Stage::kOnline, refused_lingering},
    {"lingering-client-behind-garbage", Stage::kOnline, ejected_with_lingering},
    {"lingering-clients-in-one-message", Stage::kOnline, many_lingering},
    {"laden-client-refused", Stage::kOnline, laden_client},
    {"empty-datagrams-behind-garbage", Stage::kOnline, empty_datagrams_behind_garbage},
    {"blocking-client", Stage::kOnline, blocking_client},
};

}  // namespace

std::span<const Attack> descriptor_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
