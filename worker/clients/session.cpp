#include "worker/clients/session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/config/network.hpp"
#include "common/io/endpoint.hpp"
#include "common/io/socket_options.hpp"
#include "worker/link/handoffs.hpp"
#include "worker/service.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr int kMostRounds = 64;  // calls of a handler for one client in one turn

}  // namespace

void Session::begin(WorkerContext& worker, Service& service, ForeignDescriptor client,
                    bool held_back) {
  worker_ = &worker;
  service_ = &service;
  fd_ = std::move(client.fd);
  kind_ = client.kind;
  state_ = State::kClassifying;
  client_.slot = worker.slot;
  client_.connection = this;
  so_far_.peer = this;
  silent_ = true;
  accepted_at_ = worker.loop.now();
  ++service.counters.clients;
  ++service.counters.accepted;
  if (held_back) return wait_for_source();
  work([this] { read_once(); });
}

void Session::wait_for_source() {
  state_ = State::kHeldBack;
  worker_->clients.add_held_back();
  set_deadline();
}

void Session::leave_source_wait() {
  DeadlineList<Session>::stop(*this);
  worker_->clients.remove_held_back();
}

void Session::try_source() {
  const auto limit = worker_->settings.clients_per_source;
  if (!worker_->clients.admit_source(*this, fd_.get(), limit)) return;
  leave_source_wait();
  work([this] {
    if (shared_) return take_over();
    state_ = State::kClassifying;
    read_once();
  });
}

void Session::adopt(WorkerContext& worker, Service& service, UniqueFd fd,
                    const channel::Deliver& delivery) {
  worker_ = &worker;
  service_ = &service;
  fd_ = std::move(fd);
  const bool seen = (delivery.flags & channel::Deliver::kTcp) != 0;
  kind_ = seen ? StreamKind::kTcp : stream_kind(fd_.get());
  state_ = State::kAdopted;
  shared_ = exposed_ = true;
  ++service.counters.clients;
  ++service.counters.adopted;
  client_.slot = worker.slot;
  const channel::Traveller& traveller = delivery.client;
  client_.hops = static_cast<std::uint16_t>(std::min(traveller.hops + 1, UINT16_MAX));
  client_.connection = this;
  input_ = traveller.prefix;
  if (!traveller.key.empty()) {
    attach(worker.keys.enter(service.space, traveller.key, delivery.epoch));
  }
  state_on_the_move_ = traveller.state;  // read by resume(): only then may the handler run
  count_as_routed();
  account_memory();
}

void Session::disown() {
  exposed_ = false;  // its connection must not be shut down
  close();
}

void Session::resume() {
  if (state_ != State::kAdopted) return;
  if (std::exchange(too_many_, false)) return wait_for_source();
  work([this] { take_over(); });
}

void Session::take_over() {
  state_ = State::kServing;
  if (!open()) return;
  const std::string carried = std::exchange(input_, {});
  consume(carried);
}

bool Session::open() {
  if (!import_state()) return false;
  service_->handler->on_open(client_);
  return state_ == State::kServing;
}

bool Session::import_state() {
  const std::string imported = std::exchange(state_on_the_move_, {});
  if (imported.empty()) return true;
  called_for_ = true;
  if (service_->handler->import_state(client_, imported)) return true;
  reject_input();
  close();
  return false;
}

void Session::on_events(std::uint32_t events) {
  work([this, events] { handle(events); });
}

void Session::handle(std::uint32_t events) {
  // Events may be older than what it waits for now: see EventLoop::kLongestTurn.
  events &= watched_ | EPOLLHUP | EPOLLERR;
  if (state_ == State::kLingering) {
    discard_input(events);
    return;
  }
  if (waiting_ && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) return close();
  if (ended_ && (events & (EPOLLHUP | EPOLLERR)) != 0) return close();
  if ((events & EPOLLOUT) != 0) {
    on_writable();
    if (state_ == State::kFree || (watched_ & EPOLLIN) == 0) return;
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_once(events);
}

void Session::read_once(std::uint32_t events) {
  auto& buffer = worker_->read_buffer;
  const ssize_t count = receive(buffer);
  if (count > 0) {
    silent_ = false;
    if (state_ == State::kClassifying && service_->classifier->quick_ack()) {
      const int on = 1;
      ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    return consume({buffer.data(), static_cast<std::size_t>(count)});
  }
  if (count == 0) return end_input();
  if (!is_momentary(errno)) return close();
  if ((events & EPOLLERR) != 0) clear_error_queue(fd_.get());
  go_on();
}

void Session::end_input() {
  if (state_ != State::kServing || !service_->handler->serves_half_closed()) return close();
  ended_ = true;
  service_->handler->on_end(client_);
  if (state_ == State::kServing) go_on();
}

void Session::consume(std::string_view fresh) {
  // What was read before stays in front; the fresh bytes are copied only if they must wait, too.
  std::string joined = std::exchange(input_, {});
  std::string_view bytes = fresh;
  if (!joined.empty()) {
    joined += fresh;
    bytes = joined;
  }
  while (state_ == State::kClassifying && !bytes.empty()) {
    if (!classify(bytes)) break;
  }
  for (int round = 1; state_ == State::kServing; ++round) {
    if (!std::exchange(called_for_, false) && bytes.empty()) break;
    if (!serve(bytes)) break;
    yielded_ = round == kMostRounds;
    if (yielded_) break;
  }
  if ((state_ != State::kClassifying && state_ != State::kServing) || detached_) return;
  if (bytes.size() > channel::kMaxPrefix) {
    reject_input();
    return close();
  }
  set_aside(joined, bytes);
  go_on();
}

/// `rest` waits for more: the end of `joined`, or of fresh bytes if that is empty. It is copied
/// only where at least as much was consumed: one that sends byte by byte costs no more than its
/// bytes.
void Session::set_aside(std::string& joined, std::string_view rest) {
  if (rest.size() <= joined.size() / 2 || joined.empty()) {
    input_ = rest;
    return;
  }
  joined.erase(0, joined.size() - rest.size());
  input_ = std::move(joined);
}

void Session::go_on() {
  // What the client sends does not put off the time by which it must have read something.
  const bool must_read = blocked_ && output_.empty();
  if (watch_what_matters() && !must_read) set_deadline();
}

bool Session::classify(std::string_view& bytes) {
  Verdict verdict = service_->classifier->go_on(bytes, so_far_);
  if (verdict.prefixed && !believes_peer()) return refuse_prefix();
  if (!verdict.state.empty()) state_on_the_move_ = std::move(verdict.state);
  switch (verdict.kind) {
    case Verdict::Kind::kNeedMore:
      return false;
    case Verdict::Kind::kReply:
      if (!write_reply(verdict)) return false;
      bytes.remove_prefix(verdict.consumed);
      return true;
    case Verdict::Kind::kRoute:
      bytes.remove_prefix(verdict.consumed);
      return route(std::move(verdict.key), bytes);
    case Verdict::Kind::kLocal:
      return serve_here(bytes);
    case Verdict::Kind::kReject:
      ++service_->counters.rejected_input;
      tell_refused(verdict.reason, verdict.key);
      if (!write_reply(verdict)) return false;
      reject({});
      return false;
  }
  return false;
}

std::string Session::address() const {
  return peer_text(fd_.get());
}

bool Session::believes_peer() const {
  return contains(service_->prefix_from, peer_address(fd_.get()));
}

bool Session::refuse_prefix() {
  ++service_->counters.rejected_input;
  tell_refused(Reason::kPrefix, {});
  reject({});
  return false;
}

bool Session::write_reply(const Verdict& verdict) {
  if (verdict.reply.empty()) return verdict.text.empty() || answer(verdict.text);
  return answer(verdict.text.empty() ? verdict.reply : std::string(verdict.text) + verdict.reply);
}

bool Session::has_room() const {
  return counted_ || worker_->clients.has_room(worker_->settings.max_clients);
}

bool Session::serve_here(std::string_view rest) {
  if (has_room()) return begin_serving();
  if (worker_->handoffs == nullptr) {
    wait_for_room({}, rest);
    return false;
  }
  input_ = rest;
  wanted_.clear();
  park();
  return false;
}

bool Session::serve(std::string_view& bytes) {
  Step step = service_->handler->on_bytes(client_, bytes, worker_->answers);
  bytes.remove_prefix(std::min(step.consumed, bytes.size()));
  client_.seen = step.next == Step::Next::kContinue ? bytes.size() : 0;
  const bool answered = !worker_->answers.empty();
  if (answered) {
    const bool alive = answer(worker_->answers);
    worker_->answers.clear();
    if (!alive) return false;
  }
  switch (step.next) {
    case Step::Next::kContinue:
      return false;
    case Step::Next::kYield:
      // Also where the kernel took it all: a client that asks for much takes turns with the others.
      yielded_ = answered;
      return !yielded_;
    case Step::Next::kWait:
      waiting_ = true;
      return false;
    case Step::Next::kDetach:
      detached_ = true;
      mend_once();
      unwatch();
      DeadlineList<Session>::stop(*this);
      return false;
    case Step::Next::kMove:
      called_for_ = true;
      return route(std::move(step.key), bytes);
    case Step::Next::kReject:
      reject_input();
      [[fallthrough]];
    case Step::Next::kClose:
      reject({});
      return false;
  }
  return false;
}

bool Session::route(std::string key, std::string_view rest) {
  WorkerContext& worker = *worker_;
  KeyState* own = worker.keys.owned(service_->space, key);
  const bool alone = worker.handoffs == nullptr || service_->serve_local;
  if ((own != nullptr || alone) && has_room()) {
    KeyState& entered = worker.keys.enter(service_->space, key, 0);
    detach();
    attach(entered);
    return begin_serving();
  }
  if (worker.handoffs == nullptr) {
    wait_for_room(std::move(key), rest);
    return false;
  }
  if (counted_) state_on_the_move_ = service_->handler->export_state(client_);
  if (key.size() > channel::kMaxKey || rest.size() > channel::kMaxPrefix ||
      state_on_the_move_.size() > channel::kMaxState ||
      key.size() + rest.size() + state_on_the_move_.size() > channel::kMaxClient) {
    reject_input();
    close();
    return false;
  }
  wanted_ = std::move(key);
  input_ = rest;
  if (output_.empty()) {
    park();
  } else {
    state_ = State::kMoving;
    if (watch(EPOLLOUT)) set_deadline();
  }
  return false;
}

void Session::park() {
  header_due_ = ended_ = false;  // whoever goes on with it reads the end once more
  unwatch();
  state_ = State::kParked;
  attempts_ = 0;
  set_deadline();
  worker_->handoffs->offer(*this);
}

void Session::wait_for_room(std::string key, std::string_view rest) {
  header_due_ = false;
  unwatch();
  state_ = State::kWaiting;
  wanted_ = std::move(key);
  input_ = rest;
  set_deadline();
}

void Session::admit() {
  DeadlineList<Session>::stop(*this);
  const std::string key = std::exchange(wanted_, {});
  if (!key.empty()) attach(worker_->keys.enter(service_->space, key, 0));
  if (!begin_serving()) return;
  const std::string carried = std::exchange(input_, {});
  consume(carried);
}

channel::Traveller Session::describe() const {
  return {service_->listener, client_.hops, attempts_, counted_, wanted_,
          state_on_the_move_, input_};
}

void Session::keep(std::uint32_t epoch) {
  DeadlineList<Session>::stop(*this);
  KeyState* entered = nullptr;
  // A worker that drains owns nothing.
  const std::uint32_t owned = worker_->draining ? 0 : epoch;
  if (!wanted_.empty()) entered = &worker_->keys.enter(service_->space, wanted_, owned);
  detach();
  if (entered != nullptr) attach(*entered);
  wanted_.clear();
  // What the handler here exported it still knows; what the classifier found it has yet to learn.
  if (counted_) {
    state_on_the_move_.clear();
    called_for_ = true;
  }
  ++service_->counters.kept;
  count_as_routed();
  state_ = State::kAdopted;
}

void Session::settle() {
  ++service_->counters.handed_off;
  close();
}

void Session::tell_refused(Reason reason, std::string_view key) {
  Notice notice;
  notice.reason = reason;
  service_->classifier->describe(key, counted_ ? std::string_view() : state_on_the_move_, notice);
  if (service_->handler) service_->handler->describe(client_, notice);
  worker_->environment->tell(notice, fd_.get());
}

void Session::reject_input() {
  ++service_->counters.rejected_input;
  tell_refused(Reason::kProtocol, client_.key);
}

void Session::refuse() {
  ++service_->counters.rejected_busy;
  tell_refused(Reason::kBusy, wanted_);
  dismiss(kServerFull, service_->classifier->busy_reply());
}

/// One that was just accepted has not said what it speaks, and is closed without a word.
void Session::refuse_source() {
  ++service_->counters.rejected_source;
  tell_refused(Reason::kClientsPerSource, client_.key);
  if (!shared_) return close();
  leave_source_wait();
  state_ = State::kServing;
  if (import_state()) dismiss(kSourceFull, service_->classifier->source_reply());
}

void Session::dismiss(std::string_view why, std::string_view otherwise) {
  const std::string told = called_for_ ? service_->handler->refusal(client_, why) : std::string();
  reject(told.empty() ? otherwise : std::string_view(told));
}

bool Session::begin_serving() {
  state_ = State::kServing;
  count_as_routed();
  return open();
}

void Session::count_as_routed() {
  if (counted_) return;
  counted_ = true;
  worker_->clients.add_routed();
}

void Session::attach(KeyState& key) {
  key_ = &key;
  client_.key = key.key;
}

void Session::detach() {
  if (key_ == nullptr) return;
  worker_->keys.leave(*std::exchange(key_, nullptr), worker_->loop.now());
  client_.key = {};
}

}  // namespace mpb
