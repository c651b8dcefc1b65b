#include "worker/clients/acceptor.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/config/network.hpp"
#include "common/io/channel.hpp"
#include "common/listen/listening_socket.hpp"
#include "common/log/log.hpp"
#include "worker/clients/crowding.hpp"
#include "worker/clients/waiting_clients.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr Duration kPause{100};  // out of descriptors: until the next try
constexpr std::uint64_t kPausesPerLogLine = 100;
constexpr RateLimit kLines{3, Duration{60'000}};  // about a socket that others change
constexpr std::chrono::minutes kDistrust{1};
constexpr Duration kLongestRest{30'000};
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
  if (has_client()) accept_clients();
}

void Acceptor::accept_clients() {
  bool tried = false;  // to make room for a client that could not be accepted
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (is_full() && !make_room(worker_)) return pause();
    if (distrusted()) {
      mend();
      if (!has_client()) return;
    }
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
      case EINTR:
        if (!recover()) return;
        continue;
      case ECONNABORTED:
      case EPROTO:
      case EPERM:
        continue;
      case EINVAL:  // somebody who shares the socket has shut it down
        revive();
        return rest(kPause);
      case EMFILE:
      case ENFILE:
        if (!std::exchange(tried, true) && make_room(worker_)) continue;
        [[fallthrough]];
      default:  // ENOBUFS, ENOMEM: waiting for the event again would spin
        return pause();
    }
  }
}

void Acceptor::admit(UniqueFd socket) {
  ++listener_.counters.accepted;
  if (is_refused(socket.get())) {
    ++listener_.counters.rejected_address;
    return tell_refused(Reason::kAddress, socket.get());
  }
  HeldClient client(worker_, listener_, {std::move(socket), kind_});
  if (client.admit_source() || worker_.waiting->may_hold_back()) {
    return worker_.waiting->start(std::move(client));
  }
  ++listener_.counters.rejected_source;
  tell_refused(Reason::kClientsPerSource, client.fd.get());
}

void Acceptor::tell_refused(Reason reason, int client) {
  Notice notice;
  notice.reason = reason;
  worker_.environment.tell(notice, client);
}

/// Of clients that come through a proxy the address counts that it tells: Session asks.
bool Acceptor::is_refused(int client) const {
  const AddressLists& lists = worker_.environment.tables.addresses();
  if (lists.empty()) return false;
  const auto peer = peer_address(client);
  return lists.refuses(peer) && !(listener_.prefixed && contains(listener_.prefix_from, peer));
}

bool Acceptor::is_full() const {
  return worker_.clients.held() >= worker_.clients.descriptor_cap();
}

bool Acceptor::mend() {
  if (!mend_flags(socket_.get())) return false;
  const TimePoint now = worker_.loop.now();
  if (!distrusted()) stalls_ = 0;
  distrusted_until_ = now + kDistrust;
  if (!lines_.ready(now, kLines)) {
    lines_.hold_back();
    return true;
  }
  log_warning("listener.mended")("listener", listener_.name)("changed", "O_NONBLOCK")(
      "untold", lines_.take(now, kLines))("why",
                                          "another process that shares the socket changed it");
  return true;
}

bool Acceptor::distrusted() const {
  return worker_.loop.now() < distrusted_until_;
}

bool Acceptor::has_client() const {
  pollfd queue{socket_.get(), POLLIN, 0};
  return ::poll(&queue, 1, 0) != 0;
}

/// Whoever takes the flag away all the time costs the clients that are here a moment now and then;
/// those that come are accepted by others, or wait.
bool Acceptor::recover() {
  mend();
  if (++stalls_ <= 2) return true;
  const unsigned doublings = std::min(stalls_ - 3, 6U);
  patient_ = true;
  rest(std::min<Duration>(Duration{500} * (1 << doublings), kLongestRest));
  return false;
}

/// The broker does it, too, with what the socket was set to; it may be gone.
void Acceptor::revive() {
  if (retired_ || !revive_listener(socket_.get(), SOMAXCONN)) return;
  const TimePoint now = worker_.loop.now();
  if (!lines_.ready(now, kLines)) return lines_.hold_back();
  log_warning("listener.revived")("listener", listener_.name)("untold", lines_.take(now, kLines));
}

void Acceptor::pause() {
  if (paused_) return;
  rest(kPause);
  if (worker_.accept_pauses++ % kPausesPerLogLine == 0) {
    log_warning("accept.paused")("listener", listener_.name)("clients", held_at_pause_);
  }
}

/// Until the time is over, or a client leaves.
void Acceptor::rest(Duration at_least) {
  if (std::exchange(paused_, true)) return;
  pause_again(at_least);
  worker_.loop.remove(watch_, socket_.get());
}

void Acceptor::pause_again(Duration at_least) {
  held_at_pause_ = worker_.clients.held();
  resume_at_ = worker_.loop.now() + at_least;
  worker_.loop.after(at_least, [] {});  // a turn in which to try again
}

void Acceptor::resume_if_possible() {
  const std::uint32_t held = worker_.clients.held();
  if (!paused_ || (is_full() && !can_make_room(worker_))) return;
  // Without a client less, the cause is elsewhere: it takes time.
  if ((patient_ || held >= held_at_pause_) && worker_.loop.now() < resume_at_) return;
  patient_ = false;
  if (const UniqueFd next(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0)); next) {
    if (!worker_.clients.may_hold(next.get()) && !can_make_room(worker_))
      return pause_again(kPause);
  }
  paused_ = !start().has_value();
}

}  // namespace mpb
