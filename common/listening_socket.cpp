#include "common/listening_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "common/listen_error.hpp"

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

Status ListeningSocket::renew() {
  // The old one holds its port, but lets another listen there; nobody gets at it by its path.
  set_option(socket_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  ::shutdown(socket_.get(), SHUT_RDWR);
  auto fresh = open(address_, setup_);
  if (!fresh) return fresh.error();
  // The old path's owner finds something else there, and leaves it.
  *this = std::move(*fresh);
  return {};
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
