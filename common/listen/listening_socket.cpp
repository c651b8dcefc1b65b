#include "common/listen/listening_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "common/listen/listen_error.hpp"

namespace mpb {
namespace {

void set_option(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

void set_keepalive(int socket, const KeepAlive& keepalive, bool unread_ends) {
  const auto milliseconds = std::chrono::milliseconds(keepalive.patience()).count();
  const bool bounded = keepalive.on && unread_ends;
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, keepalive.on ? 1 : 0);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, bounded ? static_cast<int>(milliseconds) : 0);
  if (!keepalive.on) return;
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(keepalive.idle.count()));
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(keepalive.interval.count()));
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keepalive.probes);
}

bool is_listening(int socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  return ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

/// A unix socket says it listens when it is shut down, too.
bool is_shut_down(int socket) {
  pollfd poll{socket, POLLRDHUP, 0};
  return ::poll(&poll, 1, 0) == 1 && (poll.revents & (POLLRDHUP | POLLHUP)) != 0;
}

/// What must be as it was before bind(2).
void copy_what_bind_needs(int from, int to) {
  constexpr std::array<std::array<int, 2>, 4> kOptions{{{IPPROTO_IPV6, IPV6_V6ONLY},
                                                        {IPPROTO_IP, IP_FREEBIND},
                                                        {IPPROTO_IP, IP_TRANSPARENT},
                                                        {SOL_SOCKET, SO_REUSEADDR}}};
  for (const auto& [level, option] : kOptions) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(from, level, option, &value, &size) == 0) set_option(to, level, option, value);
  }
}

/// Of the sockets that share a port: whoever came second, or any if that one is no more.
void prefer_second(int socket) {
  sock_filter second{BPF_RET | BPF_K, 0, 0, 1};
  const sock_fprog program{1, &second};
  ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

void add(std::string& names, std::string_view name) {
  if (name.empty()) return;
  if (!names.empty()) names += ',';
  names += name;
}

}  // namespace

bool revive_listener(int socket, int backlog) {
  if (is_listening(socket)) return false;
  // Ends what it may be connected to, and forgets that it was shut down, which clients inherit.
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  ::connect(socket, &nobody, sizeof nobody);
  return ::listen(socket, backlog) == 0;
}

ListeningSocket::ListeningSocket(UniqueFd socket, Endpoint address, SocketSetup setup)
    : socket_(std::move(socket)), address_(address), setup_(setup) {
  apply_setup();
}

Result<ListeningSocket> ListeningSocket::open(const Endpoint& endpoint, const SocketSetup& setup) {
  auto socket = listen_on(endpoint, setup.backlog, setup.mode);
  if (!socket) return explain_listen_error(endpoint, socket.error());
  auto path = std::make_unique<OwnedPath>(endpoint.path());
  auto address = local_endpoint(socket->get());
  if (!address) return address.error();
  ListeningSocket made(std::move(*socket), *address, setup);
  made.path_ = std::move(path);
  return made;
}

Result<ListeningSocket> ListeningSocket::adopt(UniqueFd socket, const SocketSetup& setup) {
  ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  mend_flags(socket.get());
  auto address = local_endpoint(socket.get());
  if (!address) return address.error();
  revive_listener(socket.get(), setup.backlog);  // it may be bound only
  if (!is_listening(socket.get())) {
    Error error = system_error("cannot listen on the passed socket " + address->to_string());
    return explain_listen_error(*address, std::move(error));
  }
  return ListeningSocket(std::move(socket), *address, setup);
}

Result<ListeningSocket> ListeningSocket::take_over(UniqueFd socket, const Endpoint& endpoint,
                                                   const SocketSetup& setup) {
  auto taken = adopt(std::move(socket), setup);
  if (taken) taken->path_ = std::make_unique<OwnedPath>(endpoint.path());
  return taken;
}

void ListeningSocket::set_up(const SocketSetup& setup) {
  setup_ = setup;
  apply_setup();
}

void ListeningSocket::apply_setup() {
  if (address_.family() != AF_UNIX) {
    set_option(socket_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_keepalive(socket_.get(), setup_.keepalive, setup_.unread_ends);
  }
  ::listen(socket_.get(), setup_.backlog);
  options_.remember(socket_.get());
}

bool ListeningSocket::listens_again(std::string& changed) {
  const int socket = socket_.get();
  if (address_.family() == AF_UNIX) {
    if (!is_shut_down(socket)) return true;
    add(changed, "shutdown");
    return false;  // a unix socket stays shut down
  }
  if (revive_listener(socket, setup_.backlog)) add(changed, "shutdown");
  // A port that the kernel chose is given back when a socket is shut down.
  const auto bound = local_endpoint(socket);
  const bool here = bound && *bound == address_;
  if (!here) add(changed, "address");
  return here && is_listening(socket);
}

ListeningSocket::Upkeep ListeningSocket::keep_up() {
  Upkeep upkeep;
  if (!socket_) return upkeep;
  if (mend_flags(socket_.get())) add(upkeep.changed, "O_NONBLOCK");
  if (!listens_again(upkeep.changed)) upkeep.spoilt = true;
  const auto options = options_.restore(socket_.get());
  add(upkeep.changed, options.changed);
  if (!options.complete) upkeep.spoilt = true;
  ::listen(socket_.get(), setup_.backlog);  // whatever backlog somebody gave it
  return upkeep;
}

bool ListeningSocket::serves() const {
  const bool shut = address_.family() == AF_UNIX && is_shut_down(socket_.get());
  return is_listening(socket_.get()) && !shut;
}

Result<UniqueFd> ListeningSocket::renew(Renewal how) {
  if (serves()) {
    auto old = address_.family() == AF_UNIX ? renew_path() : renew_port();
    // A port that cannot be had again is worth more than one that is as it should be.
    const bool barred = !old && (old.error().code == EACCES || old.error().code == EPERM);
    if (old || how == Renewal::kGentle || barred) return old;
  }
  // The old one holds its port, but lets another listen there; nobody gets at it by its path.
  set_option(socket_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  ::shutdown(socket_.get(), SHUT_RDWR);
  auto fresh = open(address_, setup_);
  if (!fresh) return fresh.error();
  // The old path's owner finds something else there, and leaves it.
  *this = std::move(*fresh);
  return UniqueFd();
}

UniqueFd ListeningSocket::take(UniqueFd fresh) {
  UniqueFd old = std::exchange(socket_, std::move(fresh));
  options_.remember(socket_.get());
  return old;
}

/// Two may listen on a port if both say SO_REUSEPORT; among those the kernel chooses, as a program
/// says: the second, or whoever is left. Only the old one goes on saying it: so others that do not
/// are refused, and whichever of the two the kernel looks at first, the second gets the client.
Result<UniqueFd> ListeningSocket::renew_port() {
  const int old = socket_.get();
  UniqueFd fresh(::socket(address_.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fresh) return system_error("socket for " + address_.to_string());
  copy_what_bind_needs(old, fresh.get());
  static_cast<void>(options_.restore(fresh.get()));
  for (const int socket : {old, fresh.get()}) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(fresh.get(), address_.data(), address_.length) != 0 ||
      ::listen(fresh.get(), setup_.backlog) != 0) {
    const Error error = system_error("cannot listen beside the socket of " + address_.to_string());
    set_option(old, SOL_SOCKET, SO_REUSEPORT, 0);
    return error;
  }
  prefer_second(fresh.get());
  set_option(fresh.get(), SOL_SOCKET, SO_REUSEPORT, 0);
  if (path_ == nullptr) path_ = std::make_unique<OwnedPath>("");
  return take(std::move(fresh));
}

/// A path becomes another socket's by rename(2), in one step.
Result<UniqueFd> ListeningSocket::renew_path() {
  const std::string path = address_.path();
  if (path_ == nullptr || path.empty()) {
    return unavailable_error("the path of " + address_.to_string() + " is not ours to replace");
  }
  const auto state = path_->state();
  if (state == OwnedPath::State::kReplaced) {
    return unavailable_error("something else is at " + address_.to_string());
  }
  const std::string made =
      state == OwnedPath::State::kGone ? path : fmt::format("{}.{}", path, ::getpid());
  const auto endpoint = parse_endpoint("unix:" + made);
  if (!endpoint) return endpoint.error();
  if (made != path) ::unlink(made.c_str());  // of one that died in the midst of this
  auto fresh = listen_on(*endpoint, setup_.backlog, setup_.mode);
  if (!fresh) return fresh.error();
  static_cast<void>(options_.restore(fresh->get()));
  struct stat before {};
  if (made != path && ::stat(path.c_str(), &before) == 0) {
    [[maybe_unused]] const int given = ::chown(made.c_str(), before.st_uid, before.st_gid);
  }
  if (made != path && ::rename(made.c_str(), path.c_str()) != 0) {
    const Error error = system_error("cannot rename a socket to " + path);
    ::unlink(made.c_str());
    return error;
  }
  path_ = std::make_unique<OwnedPath>(path);
  return take(*std::move(fresh));
}

OwnedPath::State ListeningSocket::path_state() const {
  const auto state = path_ ? path_->state() : OwnedPath::State::kOurs;
  const bool free = state == OwnedPath::State::kReplaced && is_left_behind(address_);
  return free ? OwnedPath::State::kGone : state;
}

void ListeningSocket::close() {
  path_.reset();
  socket_.reset();
}

}  // namespace mpb
