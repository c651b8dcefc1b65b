#include "worker/acceptor.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/listening_socket.hpp"
#include "common/log.hpp"
#include "worker/crowding.hpp"
#include "worker/environment.hpp"
#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr Duration kPause{100};  // out of descriptors: until the next try
constexpr std::uint64_t kPausesPerLogLine = 100;
constexpr std::chrono::minutes kBetweenLines{1};  // about a socket that others change
constexpr int kAcceptsPerTurn = 32;  // so that clients being served have their turn in a storm

}  // namespace

Status Acceptor::start() {
  const auto watch = worker_.loop.add(socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this);
  if (!watch) return watch.error();
  watch_ = *watch;
  return {};
}

void Acceptor::stop() {
  worker_.loop.remove(watch_, socket_.get());
  socket_.reset();
  paused_ = false;
}

void Acceptor::on_events(std::uint32_t) {
  accept_clients();
}

void Acceptor::sweep() {
  if (!watch_.active()) return;
  mend();
  accept_clients();
}

void Acceptor::accept_clients() {
  bool tried = false;  // to make room for a client that could not be accepted
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (is_full() && !make_room(worker_)) return pause();
    if (distrusted_) mend();
    UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      client = fit(worker_, std::move(client));
      const bool last = !worker_.clients.may_hold(client.get());
      admit(std::move(client));
      if (last) return pause();
      tried = false;
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EINTR:  // it waited for a client, and the turn took too long: see turn_guard.hpp
        mend();
        continue;
      case ECONNABORTED:
      case EPROTO:
      case EPERM:
        continue;
      case EINVAL:  // somebody who shares the socket has shut it down
        revive();
        return rest();
      case EMFILE:
      case ENFILE:
        if (!std::exchange(tried, true) && make_room(worker_)) continue;
        [[fallthrough]];
      default:  // ENOBUFS, ENOMEM: waiting for the event again would spin
        return pause();
    }
  }
}

void Acceptor::admit(UniqueFd client) {
  Session& session = worker_.clients.take();
  const bool admitted =
      worker_.clients.admit_source(session, client.get(), worker_.settings.clients_per_source);
  if (!admitted && !worker_.clients.may_hold_back()) {
    ++service_.counters.accepted;
    ++service_.counters.rejected_source;
    Notice notice;
    notice.reason = Reason::kClientsPerSource;
    worker_.environment->tell(notice, client.get());
    worker_.clients.give_back(session);
    return;
  }
  session.begin(worker_, service_, std::move(client), !admitted);
}

bool Acceptor::is_full() const {
  return worker_.clients.held() >= worker_.clients.descriptor_cap();
}

bool Acceptor::mend() {
  if (!mend_flags(socket_.get())) return false;
  distrusted_ = true;
  if (worker_.loop.now() < next_line_) return true;
  next_line_ = worker_.loop.now() + kBetweenLines;
  log_warning("listener.mended")("listener", service_.name)("changed", "O_NONBLOCK")(
      "why", "another process that shares the socket changed it");
  return true;
}

/// The broker does it, too, with what the socket was set to; it may be gone.
void Acceptor::revive() {
  if (!revive_listener(socket_.get(), SOMAXCONN)) return;
  log_warning("listener.revived")("listener", service_.name);
}

void Acceptor::pause() {
  if (paused_) return;
  rest();
  if (worker_.accept_pauses++ % kPausesPerLogLine == 0) {
    log_warning("accept.paused")("listener", service_.name)("clients", held_at_pause_);
  }
}

/// Until kPause is over, or a client leaves.
void Acceptor::rest() {
  if (std::exchange(paused_, true)) return;
  pause_again();
  worker_.loop.remove(watch_, socket_.get());
}

void Acceptor::pause_again() {
  held_at_pause_ = worker_.clients.held();
  resume_at_ = worker_.loop.now() + kPause;
  worker_.loop.after(kPause, [] {});  // a turn in which to try again
}

void Acceptor::resume_if_possible() {
  const std::uint32_t held = worker_.clients.held();
  if (!paused_ || (is_full() && !can_make_room(worker_))) return;
  // Without a client less, the cause is elsewhere: it takes time.
  if (held >= held_at_pause_ && worker_.loop.now() < resume_at_) return;
  if (const UniqueFd next(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0)); next) {
    if (!worker_.clients.may_hold(next.get()) && !can_make_room(worker_)) return pause_again();
  }
  paused_ = !start().has_value();
}

}  // namespace mpb
