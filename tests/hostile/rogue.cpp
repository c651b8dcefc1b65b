#include "tests/hostile/rogue.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "common/io/descriptor_passing.hpp"
#include "proto/base/byte_order.hpp"
#include "proto/channel/encode.hpp"
#include "tests/support/socket_pair.hpp"

namespace mpb::hostile {
namespace {

constexpr int kPollMs = 5;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

Connection unix_connection() {
  test::SocketPair pair;
  check(::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) == 0, "fcntl");
  return {std::move(pair.peer), std::move(pair.ours)};
}

Connection tcp_connection() {
  test::SocketPair pair = test::tcp_pair();
  return {std::move(pair.peer), std::move(pair.ours)};
}

std::string raw_header(std::uint8_t version, std::uint8_t type, std::uint16_t flags,
                       std::uint32_t length, std::uint64_t id) {
  std::string header;
  append_le(header, version);
  append_le(header, type);
  append_le(header, flags);
  append_le(header, length);
  append_le(header, id);
  return header;
}

void Rogue::await_start() {
  while (!started_) handle_one(-1);
}

void Rogue::say_ready() {
  next_handoff_ = static_cast<std::uint64_t>(::getpid()) << 32U;
  std::string datagram;
  channel::encode(datagram, channel::Ready{static_cast<std::uint32_t>(::getpid())});
  send(datagram);
}

bool Rogue::told_to_go() const {
  return ::access(file("go").c_str(), F_OK) == 0;
}

void Rogue::await_file(const std::string& name) const {
  while (::access(file(name).c_str(), F_OK) != 0) ::poll(nullptr, 0, kPollMs);
}

void Rogue::tell(const std::string& what) const {
  std::ofstream(folder_ + "/" + what + "-" + std::to_string(slot_));
}

void Rogue::await_go(bool behaves) {
  tell("here");
  if (behaves) behave_until([this] { return told_to_go(); });
  while (!told_to_go()) ::poll(nullptr, 0, kPollMs);
  tell("begun");
}

void Rogue::behave_until(const std::function<bool()>& enough) {
  while (!enough()) {
    if (cut_off_) behave();
    handle_one(kPollMs);
  }
}

void Rogue::behave() {
  while (!cut_off_) handle_one(-1);
  while (true) ::pause();
}

bool Rogue::handle_one(int wait_ms) {
  pollfd entry{channel_fd(), POLLIN, 0};
  if (::poll(&entry, 1, wait_ms) <= 0) return false;
  static std::array<char, channel::kMaxDatagram> buffer;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec vector{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(channel_fd(), &header, MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  cut_off_ = size <= 0;
  if (cut_off_) return false;
  UniqueFd descriptor;
  take_passed(header, [&descriptor](UniqueFd fd) { descriptor = std::move(fd); });
  const auto message = channel::decode({buffer.data(), static_cast<std::size_t>(size)});
  if (message) handle(*message, std::move(descriptor));
  return true;
}

void Rogue::handle(const channel::Message& message, UniqueFd descriptor) {
  if (const auto* configure = std::get_if<channel::Configure>(&message)) {
    window_ = configure->window;
  } else if (const auto* listen = std::get_if<channel::Listen>(&message)) {
    first_listener_ = listen->listener;
    listening_ = std::move(descriptor);
  } else if (std::holds_alternative<channel::Start>(message)) {
    started_ = true;
  } else if (const auto* ping = std::get_if<channel::Ping>(&message)) {
    last_ping = ping->nonce;
    std::string pong;
    channel::encode(pong, channel::Pong{ping->nonce, pong_blocks});
    send(pong);
  } else if (const auto* deliver = std::get_if<channel::Deliver>(&message)) {
    take_delivery(*deliver, std::move(descriptor));
  } else if (const auto* keep = std::get_if<channel::Keep>(&message)) {
    take_keeps(*keep);
  } else if (const auto* nack = std::get_if<channel::Nack>(&message)) {
    for (const channel::NackEntry entry : nack->entries) refused[entry.id] = entry.reason;
  } else if (const auto* told = std::get_if<channel::Settled>(&message)) {
    settled += told->handoffs.size();
  } else if (const auto* query = std::get_if<channel::Query>(&message)) {
    if (on_query) on_query(query->nonce);
  } else if (std::holds_alternative<channel::Drain>(message) && obeys_drain) {
    ::_exit(0);
  }
}

void Rogue::take_delivery(const channel::Deliver& message, UniqueFd client) {
  Delivery delivery{message.delivery, message.client.listener, std::string(message.client.key),
                    std::move(client)};
  if (on_delivery) return on_delivery(std::move(delivery));
  deliveries.push_back(std::move(delivery));
}

void Rogue::take_keeps(const channel::Keep& message) {
  std::vector<std::uint64_t> ids;
  for (const channel::KeepEntry entry : message.entries) ids.push_back(entry.delivery);
  kept += ids.size();
  send_ack(ids);
}

Delivery Rogue::await_delivery() {
  behave_until([this] { return !deliveries.empty(); });
  Delivery delivery = std::move(deliveries.front());
  deliveries.pop_front();
  return delivery;
}

bool Rogue::send(std::string_view datagram, std::span<const int> descriptors) {
  while (send_passing<kMostPassed>(channel_fd(), datagram, descriptors) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    pollfd entry{channel_fd(), POLLOUT, 0};
    ::poll(&entry, 1, -1);
  }
  return true;
}

bool Rogue::send_ack(std::span<const std::uint64_t> ids, channel::Load load) {
  std::string datagram;
  channel::encode(datagram, channel::Ack{load, ids});
  return send(datagram);
}

bool Rogue::send_nack(std::uint64_t delivery, std::uint8_t reason) {
  std::string datagram;
  const channel::NackEntry entry{delivery, static_cast<channel::NackReason>(reason)};
  channel::encode(datagram, channel::Nack{std::span(&entry, 1)});
  return send(datagram);
}

bool Rogue::send_load(std::uint32_t clients, std::uint32_t held) {
  std::string datagram;
  channel::encode(datagram, channel::Load{clients, held});
  return send(datagram);
}

bool Rogue::hand_off(channel::Handoff message, int descriptor) {
  message.handoff = next_handoff();
  message.client.listener = first_listener_;
  std::string datagram;
  channel::encode(datagram, message);
  return send(datagram, descriptor);
}

}  // namespace mpb::hostile
