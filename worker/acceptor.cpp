#include "worker/acceptor.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/log.hpp"
#include "worker/environment.hpp"
#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr Duration kPause{100};  // out of descriptors: until the next try
constexpr std::uint64_t kPausesPerLogLine = 100;
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
  if (watch_.active()) accept_clients();
}

void Acceptor::accept_clients() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (worker_.clients.held() >= worker_.clients.descriptor_cap()) return pause();
    UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      admit(std::move(client));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case EPERM:
        continue;
      case EINVAL:
        // Somebody who holds the shared socket has shut it down: listen(2) again revives it.
        log_warning("listener.revived")("listener", service_.name);
        ::listen(socket_.get(), SOMAXCONN);
        return;
      default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM: waiting for the event again would spin
        return pause();
    }
  }
}

void Acceptor::admit(UniqueFd client) {
  Session& session = worker_.clients.take();
  if (!worker_.clients.admit_source(session, client.get(), worker_.settings.clients_per_source)) {
    ++service_.counters.accepted;
    ++service_.counters.rejected_source;
    Notice notice;
    notice.reason = Reason::kClientsPerSource;
    worker_.environment->tell(notice, client.get());
    worker_.clients.give_back(session);
    return;
  }
  session.begin(worker_, service_, std::move(client));
}

void Acceptor::pause() {
  if (std::exchange(paused_, true)) return;
  held_at_pause_ = worker_.clients.held();
  resume_at_ = worker_.loop.now() + kPause;
  worker_.loop.after(kPause, [] {});  // a turn in which to try again
  worker_.loop.remove(watch_, socket_.get());
  if (worker_.accept_pauses++ % kPausesPerLogLine == 0) {
    log_warning("accept.paused")("listener", service_.name)("clients", held_at_pause_);
  }
}

void Acceptor::resume_if_possible() {
  const std::uint32_t held = worker_.clients.held();
  if (!paused_ || held >= worker_.clients.descriptor_cap()) return;
  // Without a client less, the cause is elsewhere: it takes time.
  if (held >= held_at_pause_ && worker_.loop.now() < resume_at_) return;
  paused_ = !start().has_value();
}

}  // namespace mpb
