#include "broker/operator/control_socket.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "broker/operator/control_connection.hpp"
#include "broker/operator/json_line.hpp"
#include "common/io/descriptor_reserve.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr int kBacklog = 64;
constexpr int kAcceptsPerTurn = 16;
constexpr unsigned kOwnerOnly = 0600;
constexpr std::string_view kTooMany =
    "{\"ok\":false,\"error\":\"too many control connections: close others or try again\"}\n";
constexpr std::string_view kNotYours =
    R"({"ok":false,"error":"no permission: an abstract socket serves mpbroker's user and root"})"
    "\n";
constexpr std::string_view kNoDescriptors =
    "{\"ok\":false,\"error\":\"no descriptors are left for control connections: close others, run "
    "fewer workers, or raise the limit of open files\"}\n";

/// Whoever does not read it at once learns it from the end.
void tell(const UniqueFd& client, std::string_view line) {
  [[maybe_unused]] const ssize_t told =
      ::send(client.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

UniqueFd make_spare() {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC));
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

ControlSocket::ControlSocket(EventLoop& loop, OnRequest on_request, ControlLimits limits)
    : loop_(loop), on_request_(std::move(on_request)), limits_(limits) {}

ControlSocket::~ControlSocket() {
  for (const auto& connection : connections_) connection->shut();
  loop_.cancel(accept_timer_);
  unwatch();
}

Status ControlSocket::open(const std::string& path, UniqueFd inherited) {
  const SocketSetup setup{kBacklog, kOwnerOnly, {}, false};
  const auto endpoint = parse_endpoint("unix:" + path);
  if (!endpoint) return endpoint.error();
  return serve(inherited ? ListeningSocket::adopt(std::move(inherited), setup)
                         : ListeningSocket::open(*endpoint, setup));
}

Status ControlSocket::take_over(const std::string& path, UniqueFd socket) {
  const auto endpoint = parse_endpoint("unix:" + path);
  if (!endpoint) return endpoint.error();
  return serve(
      ListeningSocket::take_over(std::move(socket), *endpoint, {kBacklog, kOwnerOnly, {}, false}));
}

Status ControlSocket::serve(Result<ListeningSocket> listener) {
  if (!listener) return listener.error();
  unwatch();
  listener_.emplace(std::move(*listener));
  if (!spare_) spare_ = make_spare();
  return watch();
}

Status ControlSocket::watch() {
  const auto watch = loop_.add(listener_->descriptor(), EPOLLIN, *this);
  if (!watch) return watch.error();
  watch_ = *watch;
  return {};
}

void ControlSocket::unwatch() {
  if (listener_) loop_.remove(watch_, listener_->descriptor());
}

Status ControlSocket::restore_path() {
  if (!listener_) return {};
  warn_of_taken_path("control-socket", *listener_);
  if (listener_->path_state() != OwnedPath::State::kGone) return {};
  return open(listener_->address().path());
}

void ControlSocket::keep_up() {
  if (!listener_) return;
  upkeep_.run(*listener_, "control-socket", loop_.now(), report_, [this] { unwatch(); });
  upkeep_.drop_rest();
  if (watch_.active()) return;
  if (const Status watched = watch(); !watched) {
    log_error("control_accept_failed")("reason", watched.error().text);
  }
}

/// Whoever the path's rights let in; an abstract name has none.
bool ControlSocket::may_ask(int client) const {
  const Endpoint& address = listener_->address();
  if (!address.path().empty()) return true;
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == ::geteuid());
}

void ControlSocket::on_events(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd client(
        ::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      admit(std::move(client));
    } else if (out_of_descriptors(errno)) {
      if (!refuse_one()) return pause_accept();
    } else if (errno == EINTR) {
      mend_flags(listener_->descriptor());  // it may have waited: see common/io/turn_guard.hpp
    } else if (errno != ECONNABORTED) {
      return;
    }
  }
}

void ControlSocket::admit(UniqueFd client) {
  if (!may_ask(client.get())) return tell(client, kNotYours);
  if (const auto why = refuse_(client.get()); !why.empty()) return tell(client, why);
  if (connections_.size() >= limits_.connections) return tell(client, kTooMany);
  if (!may_stay_open(client.get())) return tell(client, kNoDescriptors);
  auto connection = std::make_shared<ControlConnection>(
      loop_, on_request_, limits_, std::move(client),
      [this](const ControlConnection& closed) { drop(closed); });
  if (connection->start()) connections_.push_back(std::move(connection));
}

bool ControlSocket::refuse_one() {
  if (!spare_) return false;
  spare_.reset();
  UniqueFd client(::accept4(listener_->descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool accepted = client.valid();
  if (accepted) tell(client, kNoDescriptors);
  client.reset();
  spare_ = make_spare();
  return accepted;
}

/// The listener stays readable without a descriptor to take from it: do not look for a while.
void ControlSocket::pause_accept() {
  log_warning("control_accept_paused")("reason", "out of descriptors or memory");
  if (!loop_.modify(watch_, listener_->descriptor(), 0)) return;
  accept_timer_ = loop_.after(limits_.accept_pause, [this] {
    if (const Status resumed = loop_.modify(watch_, listener_->descriptor(), EPOLLIN); !resumed) {
      log_error("control_accept_failed")("reason", resumed.error().text);
    }
  });
}

void ControlSocket::drop(const ControlConnection& connection) {
  std::erase_if(connections_, [&](const auto& held) { return held.get() == &connection; });
}

bool ControlSocket::has_subscriber(std::string_view topic) const {
  return std::ranges::any_of(
      connections_, [topic](const auto& connection) { return connection->subscribed_to(topic); });
}

void ControlSocket::publish(const boost::json::object& event, std::string_view topic) {
  std::vector<std::shared_ptr<ControlConnection>> subscribers;
  for (const auto& connection : connections_) {
    if (connection->subscribed_to(topic)) subscribers.push_back(connection);
  }
  if (subscribers.empty()) return;
  const std::string line = json_line(event);
  for (const auto& subscriber : subscribers) subscriber->publish(line);
}

}  // namespace mpb
