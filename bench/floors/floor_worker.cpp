#include "bench/floors/floor_worker.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/floors/floor_process.hpp"

namespace mpb::bench {
namespace {

constexpr int kEventsPerWait = 256;
/// Clients accepted in one turn before those that are here are served.
constexpr int kAcceptsPerTurn = 64;

}  // namespace

FloorWorker::FloorWorker(int slot, int listener)
    : self_{slot, ::getpid()}, listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) fail("epoll_create1");
  if (listener < 0) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.fd = listener;
  if (::epoll_ctl(epoll(), EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl on the listener");
}

void FloorWorker::run() {
  epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = ::epoll_wait(epoll(), events, kEventsPerWait, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener_) {
        accept_clients();
      } else if (!on_other_event(fd, events[i].events)) {
        on_client(fd, events[i].events);
      }
    }
  }
}

void FloorWorker::accept_clients() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    adopt(UniqueFd(fd), 0, {});
  }
}

void FloorWorker::adopt(UniqueFd client, std::uint8_t hops, std::string_view prefix) {
  const int fd = client.release();
  if (static_cast<std::size_t>(fd) >= clients_.size()) {
    clients_.resize(static_cast<std::size_t>(fd) + 1024);
  }
  clients_[static_cast<std::size_t>(fd)] = {ControlSession(hops)};
  // A speculative read: a client whose bytes are here is answered, or handed over, before it costs
  // an epoll_ctl().
  const Fate fate = prefix.empty() ? read_once(fd) : serve(fd, prefix);
  if (fate == Fate::kServed) watch(fd);
}

void FloorWorker::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl on a client");
  clients_[static_cast<std::size_t>(fd)].watched = true;
}

void FloorWorker::on_client(int fd, std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    close_client(fd);
  } else {
    read_once(fd);
  }
}

FloorWorker::Fate FloorWorker::read_once(int fd) {
  const ssize_t size = ::recv(fd, buffer_, sizeof buffer_, 0);
  if (size > 0) return serve(fd, {buffer_, static_cast<std::size_t>(size)});
  if (size < 0 && errno == EAGAIN) return Fate::kServed;
  return close_client(fd);
}

FloorWorker::Fate FloorWorker::serve(int fd, std::string_view bytes) {
  ControlSession& session = clients_[static_cast<std::size_t>(fd)].session;
  replies_.clear();
  for (;;) {
    switch (session.advance(bytes, self_, replies_)) {
      case ControlSession::Step::kNeedMore:
        return flush(fd) ? Fate::kServed : close_client(fd);
      case ControlSession::Step::kOwner:
        if (const int target = owner(session); target != slot()) return move(fd, target, bytes);
        if (replies_.add(kGreeting)) break;
        if (!flush(fd)) return close_client(fd);
        replies_.add(kGreeting);
        break;
      case ControlSession::Step::kRepliesFull:
        if (!flush(fd)) return close_client(fd);
        break;
      case ControlSession::Step::kReject:
        flush(fd);
        return close_client(fd);
    }
  }
}

/// A client that does not take its answers is closed: a floor queues nothing.
bool FloorWorker::flush(int fd) {
  const std::string_view bytes = replies_.bytes();
  if (bytes.empty()) return true;
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  replies_.clear();
  return sent == static_cast<ssize_t>(bytes.size());
}

FloorWorker::Fate FloorWorker::move(int fd, int target, std::string_view rest) {
  if (!flush(fd)) return close_client(fd);
  const Client& client = clients_[static_cast<std::size_t>(fd)];
  // The socket lives on elsewhere, and its entry in this epoll set with it unless it is removed.
  if (client.watched && ::epoll_ctl(epoll(), EPOLL_CTL_DEL, fd, nullptr) != 0) {
    fail("epoll_ctl on a moved client");
  }
  char prefix[kMaxPrefix];
  const auto header = client.session.header();
  std::memcpy(prefix, header.data(), header.size());
  std::memcpy(prefix + header.size(), rest.data(), rest.size());
  hand_over(target, client.session, {prefix, header.size() + rest.size()}, UniqueFd(fd));
  return Fate::kMoved;
}

void FloorWorker::hand_over(int, const ControlSession&, std::string_view, UniqueFd) {}

FloorWorker::Fate FloorWorker::close_client(int fd) {
  // No EPOLL_CTL_DEL: this process holds the only copy, since the hub closes its own as soon as it
  // has passed it on, long before the client can have ended.
  ::close(fd);
  return Fate::kClosed;
}

}  // namespace mpb::bench
