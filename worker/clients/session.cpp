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
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

constexpr int kMostRounds = 64;  // calls of a handler for one client in one turn

}  // namespace

void Session::start(HeldClient client) {
  if (!client.fd) return;
  const bool entered = client.counted;
  Session& session = client.worker->clients.take();
  session.begin(std::move(client), entered ? State::kServing : State::kClassifying);
  session.work([&session, entered] {
    if (!entered) return session.read_once();
    if (session.open()) session.consume(std::exchange(session.held_.input, {}));
  });
}

void Session::turn_away(HeldClient client, Reason why) {
  if (!client.fd) return;
  Session& session = client.worker->clients.take();
  session.begin(std::move(client), State::kClosing);
  session.work([&session, why] { session.end_for(why); });
}

void Session::begin(HeldClient client, State state) {
  held_ = std::move(client);
  state_ = state;
  called_for_ = held_.called_for;
  client_.slot = held_.worker->slot;
  client_.hops = held_.hops;
  client_.key = held_.key_text();
  client_.connection = this;
  so_far_.peer = this;
  silent_ = state == State::kClassifying;
  address_due_ = silent_ && held_.listener->prefixed;
  if (silent_) since_ = held_.worker->loop.now();
}

bool Session::open() {
  if (!import_state()) return false;
  held_.listener->handler->on_open(client_);
  return state_ == State::kServing;
}

bool Session::import_state() {
  const std::string imported = std::exchange(held_.state, {});
  if (imported.empty()) return true;
  called_for_ = true;
  const State before = state_;
  const bool understood = held_.listener->handler->import_state(client_, imported);
  if (state_ != before) return false;  // the handler has ended it
  if (understood) return true;
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
  auto& buffer = *held_.worker->read_buffer;
  const ssize_t count = receive(buffer);
  if (count > 0) {
    if (std::exchange(silent_, false)) since_ = TimePoint{};
    if (state_ == State::kClassifying && held_.listener->classifier->quick_ack()) {
      const int on = 1;
      ::setsockopt(held_.fd.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    return consume({buffer.data(), static_cast<std::size_t>(count)});
  }
  if (count == 0) return end_input();
  if (!is_momentary(errno)) return close();
  if ((events & EPOLLERR) != 0) clear_error_queue(held_.fd.get());
  go_on();
}

void Session::end_input() {
  if (state_ != State::kServing || !held_.listener->handler->serves_half_closed()) return close();
  ended_ = true;
  held_.listener->handler->on_end(client_);
  if (state_ == State::kServing) go_on();
}

void Session::consume(std::string_view fresh) {
  // What was read before stays in front; the fresh bytes are copied only if they must wait, too.
  std::string joined = std::exchange(held_.input, {});
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
  if (bytes.size() > channel::kMaxUnconsumed) {
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
    held_.input = rest;
    return;
  }
  joined.erase(0, joined.size() - rest.size());
  held_.input = std::move(joined);
}

void Session::go_on() {
  // What the client sends does not put off the time by which it must have read something.
  const bool must_read = blocked_ && output_.empty();
  if (watch_what_matters() && !must_read) set_deadline();
}

bool Session::classify(std::string_view& bytes) {
  Verdict verdict = held_.listener->classifier->go_on(bytes, so_far_);
  if (verdict.prefixed && !believes_peer()) return refuse_prefix();
  if (!verdict.state.empty()) held_.state = std::move(verdict.state);
  if (address_due_ && verdict.kind != Verdict::Kind::kNeedMore && is_refused_by_address()) {
    return refuse_address();
  }
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
      return held_.has_room() && !held_.listener->spread ? begin_serving({}) : leave({}, bytes);
    case Verdict::Kind::kReject:
      ++held_.listener->counters.rejected_input;
      tell_refused(verdict.reason, verdict.key);
      if (!write_reply(verdict)) return false;
      reject({});
      return false;
  }
  return false;
}

std::string Session::address() const {
  return peer_text(held_.fd.get());
}

bool Session::believes_peer() const {
  return contains(held_.listener->prefix_from, peer_address(held_.fd.get()));
}

bool Session::is_refused_by_address() {
  address_due_ = false;
  const AddressLists& lists = held_.worker->environment.tables.addresses();
  if (lists.empty()) return false;
  Notice told;
  held_.listener->classifier->describe({}, held_.state, told);
  return lists.refuses(told.address.empty() ? peer_address(held_.fd.get())
                                            : address_in(told.address));
}

bool Session::refuse_address() {
  ++held_.listener->counters.rejected_address;
  tell_refused(Reason::kAddress, {});
  close();
  return false;
}

bool Session::refuse_prefix() {
  ++held_.listener->counters.rejected_input;
  tell_refused(Reason::kPrefix, {});
  reject({});
  return false;
}

bool Session::write_reply(const Verdict& verdict) {
  if (verdict.reply.empty()) return verdict.text.empty() || reply(verdict.text);
  return reply(verdict.text.empty() ? verdict.reply : std::string(verdict.text) + verdict.reply);
}

bool Session::serve(std::string_view& bytes) {
  std::string& replies = held_.worker->replies;
  replies.clear();  // those of a client that there was no memory for may be there
  Step step = held_.listener->handler->on_bytes(client_, bytes, replies);
  if (state_ != State::kServing) return false;
  bytes.remove_prefix(std::min(step.consumed, bytes.size()));
  client_.seen = step.next == Step::Next::kContinue ? bytes.size() : 0;
  const bool answered = !replies.empty();
  if (answered && !reply(replies)) return false;
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
  WorkerContext& worker = *held_.worker;
  const ServedListener& listener = *held_.listener;
  const bool here =
      worker.alone || listener.serve_local || worker.keys.owned(listener.space, key) != nullptr;
  if (here && held_.has_room()) return begin_serving(key);
  if (held_.counted) held_.state = listener.handler->export_state(client_);
  const bool too_long = key.size() > channel::kMaxKey || rest.size() > channel::kMaxUnconsumed ||
                        held_.state.size() > channel::kMaxState ||
                        key.size() + rest.size() + held_.state.size() > channel::kMaxClient;
  if (too_long && !worker.alone) {
    reject_input();
    close();
    return false;
  }
  return leave(std::move(key), rest);
}

bool Session::leave(std::string key, std::string_view rest) {
  held_.wanted = std::move(key);
  held_.input = rest;
  held_.called_for = called_for_;
  if (output_.empty()) {
    give_away();
  } else {
    state_ = State::kMoving;
    if (watch(EPOLLOUT)) set_deadline();
  }
  return false;
}

void Session::let_go() {
  const State before = std::exchange(state_, State::kLeaving);
  try {
    if (held_.listener->handler) held_.listener->handler->on_close(client_);
  } catch (const std::bad_alloc&) {
    state_ = before;  // close_for_memory() calls again, and has the reserve
    throw;
  }
}

void Session::give_away() {
  if (held_.counted) let_go();
  unwatch();
  held_.worker->give_away(std::move(held_));
  forget();
}

bool Session::has_handler() const {
  return held_.listener->handler != nullptr && state_ != State::kLeaving;
}

std::string_view Session::asked_for() const {
  return held_.wanted.empty() ? client_.key : held_.wanted;
}

void Session::tell_refused(Reason reason, std::string_view key) {
  Notice notice;
  notice.reason = reason;
  held_.listener->classifier->describe(key, held_.counted ? std::string_view() : held_.state,
                                       notice);
  if (has_handler()) held_.listener->handler->describe(client_, notice);
  held_.worker->environment.tell(notice, held_.fd.get());
}

void Session::reject_input() {
  ++held_.listener->counters.rejected_input;
  tell_refused(Reason::kProtocol, client_.key);
}

void Session::end_for(Reason why) {
  // A handler had it, and knows what to say of it and to it.
  if (held_.counted && !import_state()) return;
  if (why == Reason::kMediaMemory) return close_for_memory();
  ListenerCounters& counters = held_.listener->counters;
  const Classifier& classifier = *held_.listener->classifier;
  tell_refused(why, asked_for());
  switch (why) {
    case Reason::kBusy:
      ++counters.rejected_busy;
      return dismiss(kServerFull, classifier.busy_reply());
    case Reason::kClientsPerSource:
      ++counters.rejected_source;
      // One that was just accepted has not said what it speaks.
      return held_.counted ? dismiss(kSourceFull, classifier.source_reply()) : close();
    default:
      ++counters.closed_unsettled;
      return close();
  }
}

void Session::dismiss(std::string_view why, std::string_view otherwise) {
  const std::string told =
      called_for_ ? held_.listener->handler->refusal(client_, why) : std::string();
  reject(told.empty() ? otherwise : std::string_view(told));
}

bool Session::begin_serving(std::string_view key) {
  held_.enter(key, 0);
  client_.key = held_.key_text();
  state_ = State::kServing;
  return open();
}

}  // namespace mpb
