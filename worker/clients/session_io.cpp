// Session: writing, deadlines and the end of a connection.
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/io/channel.hpp"
#include "common/io/socket_options.hpp"
#include "common/log/log.hpp"
#include "worker/clients/session.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr std::chrono::minutes kWary{1};       // after a call that may have waited
constexpr std::chrono::minutes kVeryWary{10};  // after one that was made to
constexpr RateLimit kLines{3, Duration{60'000}};

/// Which of the limits ends a client that has said nothing.
Reason silence_reason(const WorkerSettings& settings) {
  const bool idle =
      settings.idle_timeout.count() != 0 &&
      (settings.silence_timeout.count() == 0 || settings.idle_timeout < settings.silence_timeout);
  return idle ? Reason::kIdleTimeout : Reason::kSilenceTimeout;
}

}  // namespace

bool Session::reply(std::string_view text) {
  if (!write_or_keep(text)) {
    close();
    return false;
  }
  if (output_.size() <= kMaxUnsent) return true;
  count_slow();
  close();
  return false;
}

bool Session::write_or_keep(std::string_view text) {
  std::size_t written = 0;
  if (output_.empty()) {
    const ssize_t count =
        ::send(held_.fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && !is_momentary(errno)) return false;
    written = count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  output_ += text.substr(written);
  return true;
}

bool Session::write(std::string_view text) {
  if (state_ != State::kServing || detached_) return false;
  if (output_.size() + text.size() > kMaxUnsent) return false;
  const bool waited = !output_.empty();
  if (!write_or_keep(text)) return false;
  account_memory();
  if (waited || output_.empty()) return true;
  // Where it is not watched yet, this is within its first callback, and follows.
  if (watch_.active() && watch_what_matters()) set_deadline();
  return state_ == State::kServing;
}

void Session::on_writable() {
  if (output_.empty()) return finish_writing();
  const ssize_t count =
      ::send(held_.fd.get(), output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0) {
    if (!is_momentary(errno)) close();
    return;
  }
  output_.erase(0, static_cast<std::size_t>(count));
  if (!output_.empty()) return set_deadline();
  output_ = std::string();
  finish_writing();
}

void Session::finish_writing() {
  if (state_ == State::kClosing) return linger();
  if (state_ == State::kMoving) return give_away();
  if (std::exchange(yielded_, false)) return consume({});
  if (std::exchange(blocked_, false)) {
    held_.listener->handler->on_writable(client_);
    if (state_ != State::kServing) return;
  }
  if (watch_what_matters()) set_deadline();
}

bool Session::may_send() {
  const bool may = output_.empty() && state_ == State::kServing;
  if (!may) blocked_ = true;
  return may;
}

std::optional<std::size_t> Session::send(std::span<const iovec> slices) {
  if (!may_send()) return 0;
  std::size_t size = 0;
  for (const iovec& slice : slices) size += slice.iov_len;
  msghdr header{};
  header.msg_iov = const_cast<iovec*>(slices.data());
  header.msg_iovlen = slices.size();
  return sent(::sendmsg(held_.fd.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT), size);
}

std::optional<std::size_t> Session::send_file(int file, off_t place, std::size_t size) {
  if (!may_send()) return 0;
  if (wary()) return std::nullopt;
  mend_once();
  const auto interruptions = TurnGuard::count();
  const ssize_t count = ::sendfile(held_.fd.get(), file, &place, size);
  const int error = errno;
  if (TurnGuard::count() != interruptions && !endure_interruption()) return std::nullopt;
  errno = error;
  return sent(count, size);
}

void Session::mend_once() {
  if (held_.exposed && !std::exchange(mended_, true)) mend_flags(held_.fd.get());
}

ssize_t Session::receive(std::span<char> buffer) {
  // Descriptors can come along on a unix socket alone.
  return held_.kind == StreamKind::kTcp
             ? ::recv(held_.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)
             : receive_bytes(held_.fd.get(), buffer.data(), buffer.size());
}

bool Session::wary() const {
  return held_.exposed && held_.worker->loop.now() < held_.worker->wary_until;
}

bool Session::endure_interruption() {
  if (!held_.exposed) return true;
  const TimePoint now = held_.worker->loop.now();
  const bool made_to_wait = mend_flags(held_.fd.get());
  held_.worker->wary_until =
      std::max(held_.worker->wary_until, now + (made_to_wait ? kVeryWary : kWary));
  if (!made_to_wait) return true;
  RateBucket& lines = held_.worker->blocking_lines;
  if (lines.ready(now, kLines)) {
    log_warning("client.closed")("listener", held_.listener->name)("key", std::string(client_.key))(
        "untold", lines.take(now, kLines))(
        "why", "another process made its socket blocking, and this worker wait");
  } else {
    lines.hold_back();
  }
  ::shutdown(held_.fd.get(), SHUT_RDWR);  // whoever uses it next is told
  return false;
}

std::optional<std::size_t> Session::sent(ssize_t count, std::size_t size) {
  if (count < 0 && !is_momentary(errno)) return std::nullopt;
  const std::size_t taken = count < 0 ? 0 : static_cast<std::size_t>(count);
  const bool was_blocked = std::exchange(blocked_, taken < size);
  if (watch_.active() && blocked_ != was_blocked && !watch_what_matters()) return std::nullopt;
  if (blocked_ && (taken > 0 || !was_blocked)) set_deadline();
  return taken;
}

void Session::proceed() {
  if (!std::exchange(waiting_, false)) return;
  called_for_ = true;
  work([this] { consume({}); });
}

void Session::finish() {
  if (state_ == State::kFree || state_ == State::kLeaving) return;
  blocked_ = waiting_ = detached_ = false;
  reject({});
}

void Session::count_slow() {
  ++held_.listener->counters.closed_slow;
  if (held_.listener->handler) held_.listener->handler->on_slow(client_);
}

void Session::close_slow() {
  if (state_ == State::kFree || state_ == State::kLeaving) return;
  ++held_.listener->counters.closed_slow;
  close();
}

void Session::exempt_from_idle(bool exempt) {
  idle_exempt_ = exempt;
}

void Session::note_progress(bool unread) {
  blocked_ = unread;
  set_deadline();
}

void Session::reject(std::string_view text) {
  if (!text.empty() && !reply(text)) return;
  if (output_.empty()) return linger();
  state_ = State::kClosing;
  if (watch(EPOLLOUT)) set_deadline();
}

/// close() on a socket with unread bytes sends a reset, which can take the last answer away from
/// the peer. So: end our direction, and read until the peer has ended its own, for a short time.
void Session::linger() {
  if (held_.elsewhere) return close();  // the connection is another worker's
  state_ = State::kLingering;
  ::shutdown(held_.fd.get(), SHUT_WR);
  held_.input = std::string();
  if (discard_input() && watch(EPOLLIN)) set_deadline();
}

bool Session::discard_input(std::uint32_t events) {
  // Not the worker's buffer: another client's callback may be at work on that.
  std::array<char, 16UL * 1024> buffer;  // NOLINT(*-member-init): only written
  const ssize_t count = receive(buffer);
  if (count > 0) return true;
  if (count < 0 && is_momentary(errno)) {
    if ((events & EPOLLERR) != 0) clear_error_queue(held_.fd.get());
    return true;
  }
  close();
  return false;
}

/// With answers waiting, the client has to read them before it is read from. While its handler
/// wants no bytes only its end matters.
bool Session::watch_what_matters() {
  if (!output_.empty() || yielded_) return watch(EPOLLOUT);
  const bool wants_no_end = ended_ || (waiting_ && held_.listener->handler->serves_half_closed());
  const std::uint32_t reading = wants_no_end ? 0U : waiting_ ? EPOLLRDHUP : EPOLLIN;
  return watch(blocked_ ? reading | EPOLLOUT : reading);
}

bool Session::watch(std::uint32_t events) {
  if (watched_ == events && watch_.active()) return true;
  if (!watch_.active()) {
    const auto added = held_.worker->loop.add(held_.fd.get(), events, *this);
    if (!added) {
      close();
      return false;
    }
    watch_ = *added;
  } else if (!held_.worker->loop.modify(watch_, held_.fd.get(), events)) {
    close();
    return false;
  }
  watched_ = events;
  return true;
}

void Session::unwatch() {
  held_.worker->loop.remove(watch_, held_.fd.get());
  watched_ = 0;
}

void Session::set_deadline() {
  SessionDeadlines& deadlines = held_.worker->deadlines;
  const TimePoint now = held_.worker->loop.now();
  if (is_silent()) {  // counts from when it was accepted
    if (!is_linked()) deadlines.silence.restart(*this, now);
    return;
  }
  const bool has_begun =
      !held_.input.empty() || so_far_.stage > 0;  // a stage: was answered, and has to go on
  if (output_.empty() && state_ == State::kClassifying && has_begun) {
    // Counts from the first byte, however many come and whatever else was waited for meanwhile.
    if (std::exchange(header_due_, true)) return;
    if (since_ == TimePoint{}) since_ = now;
    return deadlines.header.restart(*this, since_);
  }
  header_due_ = false;
  if (state_ == State::kLingering) return deadlines.linger.restart(*this, now);
  if (!output_.empty() || blocked_ || yielded_) return deadlines.send.restart(*this, now);
  if (idle_exempt_ || waiting_) return DeadlineList<Session>::stop(*this);
  deadlines.idle.restart(*this, now);
}

void Session::expire() {
  ListenerCounters& counters = held_.listener->counters;
  switch (state_) {
    case State::kLingering:
      break;
    case State::kClassifying:
      if (is_silent()) return close_silent(silence_reason(held_.worker->settings));
      ++(header_due_ ? counters.rejected_header : counters.closed_idle);
      tell_refused(header_due_ ? Reason::kHeaderTimeout : Reason::kIdleTimeout, {});
      break;
    default:
      if (output_.empty() && !blocked_) {
        ++counters.closed_idle;
        tell_refused(Reason::kIdleTimeout, client_.key);
      } else {
        count_slow();
      }
      break;
  }
  close();
}

void Session::close_silent(Reason reason) {
  work([this] { read_once(); });  // it may have spoken while this process did not run
  if (!is_silent()) return;
  ListenerCounters& counters = held_.listener->counters;
  ++(reason == Reason::kIdleTimeout ? counters.closed_idle : counters.rejected_header);
  tell_refused(reason, {});
  close();
}

void Session::close() {
  if (state_ == State::kFree) return;
  if (state_ != State::kLeaving) let_go();
  // Others may hold a copy, or a thread closes it in a while.
  if (held_.exposed || held_.kind != StreamKind::kTcp) {
    held_.worker->loop.remove(watch_, held_.fd.get());
  } else {
    held_.worker->loop.forget(watch_);
  }
  held_.close();
  forget();
}

void Session::forget() {
  ClientTable& clients = held_.worker->clients;
  state_ = State::kFree;
  DeadlineList<Session>::stop(*this);
  // Callers further up may go by its worker and service yet.
  for (std::string* text : {&held_.wanted, &held_.state, &held_.input}) *text = std::string();
  output_ = std::string();
  so_far_ = Classification{};
  client_ = Client{};
  watched_ = 0;
  since_ = TimePoint{};
  handler_bytes_ = 0;
  silent_ = mended_ = blocked_ = waiting_ = detached_ = idle_exempt_ = false;
  called_for_ = yielded_ = ended_ = address_due_ = header_due_ = false;
  clients.give_back(*this);
}

}  // namespace mpb
