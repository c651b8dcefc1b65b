#include "tests/integration/harness/client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "proto/base/byte_order.hpp"

namespace mpb::test {
namespace {

using Clock = std::chrono::steady_clock;

bool wait_for(int fd, short events, Clock::time_point end) {
  while (true) {
    const auto left = std::chrono::ceil<Duration>(end - Clock::now());
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<Duration::rep>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

void connect_within(int fd, const Endpoint& server, Duration limit) {
  if (::connect(fd, server.data(), server.length) == 0) return;
  if (errno != EINPROGRESS && errno != EAGAIN)
    throw std::runtime_error(system_error("connect").text);
  if (!wait_for(fd, POLLOUT, Clock::now() + limit)) throw std::runtime_error("connect: timeout");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  if (error != 0) throw std::runtime_error(system_error("connect").text);
}

}  // namespace

std::string claim_bytes(std::int32_t id) {
  std::string bytes("C");
  append_le(bytes, static_cast<std::uint32_t>(id));
  return bytes;
}

std::string message_bytes(std::string_view text) {
  std::string bytes("M");
  bytes.append(text).append(1, '\0');
  return bytes;
}

Endpoint loopback(std::uint16_t port) {
  return parse_endpoint("127.0.0.1:" + std::to_string(port)).value();
}

Client::Client(std::uint16_t port, const std::string& source) : Client(loopback(port), source) {}

Client::Client(const Endpoint& server, const std::string& source)
    : fd_(::socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (!fd_) throw std::runtime_error(system_error("socket").text);
  if (!source.empty()) {
    const Endpoint from = parse_endpoint(source + ":0").value();
    if (::bind(fd_.get(), from.data(), from.length) != 0) {
      throw std::runtime_error(system_error("bind").text);
    }
  }
  const int on = 1;
  if (server.family() != AF_UNIX) {
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  connect_within(fd_.get(), server, scaled(kPatience));
}

void Client::send(std::string_view bytes) {
  const auto end = Clock::now() + scaled(kPatience);
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EAGAIN || !wait_for(fd_.get(), POLLOUT, end)) {
      return;
    }
  }
}

void Client::send_byte_by_byte(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) send(bytes.substr(i, 1));
}

std::string Client::read_text(Duration limit) {
  const auto end = Clock::now() + scaled(limit);
  while (true) {
    const auto nul = received_.find('\0');
    if (nul != std::string::npos) {
      std::string text = received_.substr(0, nul);
      received_.erase(0, nul + 1);
      return text;
    }
    std::array<char, 16384> buffer{};
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      return received_ + std::string(kEof);
    } else if (errno != EAGAIN && errno != EINTR) {
      return received_ + std::string(kReset);
    } else if (!wait_for(fd_.get(), POLLIN, end)) {
      return received_ + std::string(kTimeout);
    }
  }
}

std::string Client::claim(std::int32_t id) {
  send(claim_bytes(id));
  return read_text();
}

std::string Client::message(std::string_view text) {
  send(message_bytes(text));
  return read_text();
}

Who Client::who() {
  send("W");
  return read_who();
}

Who Client::read_who(Duration limit) {
  Who who;
  who.text = read_text(limit);
  std::array<char, 16> id{};
  if (std::sscanf(who.text.c_str(), "worker=%d pid=%d id=%15s hops=%d", &who.worker, &who.pid,
                  id.data(), &who.hops) == 4) {
    who.id = id.data();
  }
  return who;
}

Who Client::join(std::int32_t id) {
  send(claim_bytes(id) + "W");
  const std::string greeting = read_text();
  if (greeting != kHello) throw std::runtime_error("no greeting for an id, but: " + greeting);
  return read_who();
}

bool Client::is_quiet() {
  if (!received_.empty()) return false;
  char byte = 0;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void Client::finish_sending() {
  ::shutdown(fd_.get(), SHUT_WR);
}

bool is_refused(std::uint16_t port) {
  const Endpoint server = loopback(port);
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), server.data(), server.length) != 0 && errno == ECONNREFUSED;
}

std::uint16_t free_port() {
  // The kernel gives clients 32768 and up (net.ipv4.ip_local_port_range): a server that starts
  // somewhat later must not find its port taken by one.
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> ports(10'000, 32'000);
  for (int i = 0; i < 1000; ++i) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    if (listen_on(loopback(port), 1)) return port;
  }
  throw std::runtime_error("no free port between 10000 and 32000");
}

}  // namespace mpb::test
