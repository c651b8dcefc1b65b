#include "broker/operator/control_connection.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/json/parse.hpp>

#include "broker/operator/json_line.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

json::object failure(std::string_view text) {
  return {{"ok", false}, {"error", text}};
}

Result<json::object> parse_request(std::string_view line, std::size_t depth) {
  json::parse_options options;
  options.max_depth = depth;
  json::error_code error;
  json::value value = json::parse(line, error, {}, options);
  if (error) return protocol_error("a request is one JSON object per line: " + error.message());
  if (!value.is_object()) {
    return protocol_error("a request is a JSON object such as {\"command\":\"status\"}");
  }
  const json::value* command = value.get_object().if_contains("command");
  if (command == nullptr || !command->is_string()) {
    return protocol_error("a request needs a \"command\" such as \"status\"");
  }
  return std::move(value.get_object());
}

}  // namespace

ControlConnection::ControlConnection(EventLoop& loop, const OnRequest& on_request,
                                     const ControlLimits& limits, UniqueFd socket,
                                     OnClosed on_closed)
    : loop_(loop),
      on_request_(on_request),
      limits_(limits),
      socket_(std::move(socket)),
      on_closed_(std::move(on_closed)) {}

ControlConnection::~ControlConnection() {
  shut();
}

Status ControlConnection::start() {
  watched_ = EPOLLIN;
  const auto watch = loop_.add(socket_.get(), watched_, *this);
  if (!watch) return watch.error();
  watch_ = *watch;
  restart_idle_limit();
  return {};
}

void ControlConnection::shut() {
  if (!is_open()) return;
  loop_.cancel(idle_timer_);
  loop_.remove(watch_, socket_.get());
  socket_.reset();
}

void ControlConnection::close() {
  if (!is_open()) return;
  shut();
  on_closed_(*this);
}

void ControlConnection::on_events(std::uint32_t events) {
  const auto self = shared_from_this();
  if ((events & EPOLLIN) != 0 && (watched_ & EPOLLIN) != 0) receive();
  if (is_open()) serve();
  // Nobody is left to read an answer. What was asked before has been started.
  if (is_open() && (events & (EPOLLHUP | EPOLLERR)) != 0) close();
}

void ControlConnection::receive() {
  std::array<char, 16 * 1024> bytes;  // NOLINT(*-member-init): the kernel fills it
  const std::size_t room = std::min(bytes.size(), limits_.line + 1 - input_.size());
  if (room == 0) return;
  const ssize_t size = receive_bytes(socket_.get(), bytes.data(), room);
  if (size > 0) {
    input_.append(bytes.data(), static_cast<std::size_t>(size));
  } else if (size == 0) {
    input_ended_ = true;
    if (!input_.empty() && input_.back() != '\n') input_ += '\n';
  } else if (errno != EAGAIN && errno != EINTR) {
    close();
  }
}

bool ControlConnection::may_serve() const {
  return is_open() && !awaiting_ && !ends_ && unread() <= limits_.unread;
}

/// The end of the first line; npos: it is not there yet.
std::size_t ControlConnection::line_end() {
  const auto end = input_.find('\n', searched_);
  searched_ = std::min(end, input_.size());
  return end;
}

std::optional<std::string> ControlConnection::take_line() {
  const auto end = line_end();
  if (end == std::string::npos) return std::nullopt;
  std::string line = input_.substr(0, end);
  input_.erase(0, end + 1);
  searched_ = 0;
  return line;
}

void ControlConnection::serve() {
  serving_ = true;
  for (std::size_t i = 0; may_serve() && i < limits_.requests_per_turn; ++i) {
    const auto line = take_line();
    if (!line) break;
    begin_request(*line);
  }
  serving_ = false;
  if (is_open()) finish_turn();
}

void ControlConnection::finish_turn() {
  const bool has_line = line_end() != std::string::npos;
  if (!has_line && input_.size() > limits_.line && !ends_) {
    answer(failure(fmt::format("a request has at most {} bytes", limits_.line)));
    ends_ = true;
  }
  if (!send_output()) return close();
  if (has_line && may_serve()) serve_next_turn();
  const bool done = ends_ || (input_ended_ && !has_line && !awaiting_ && !subscribed_);
  if (done && unread() == 0) return close();
  watch_what_matters();
}

void ControlConnection::serve_next_turn() {
  if (turn_planned_) return;
  turn_planned_ = true;
  loop_.after(Duration{0}, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->is_open()) return;
    self->turn_planned_ = false;
    self->serve();
  });
}

void ControlConnection::begin_request(std::string_view line) {
  const auto request = parse_request(line, limits_.json_depth);
  if (!request) return answer(failure(request.error().text));
  if (request->at("command").get_string() == "events") {
    const json::value* table = request->if_contains("table");
    if (table != nullptr && !table->is_string()) return answer(failure("'table' must be a text"));
    topic_ = table == nullptr ? std::string() : std::string(table->get_string());
    answer({{"ok", true}});
    subscribed_ = true;
    return restart_idle_limit();
  }
  ask(*request);
}

void ControlConnection::ask(const json::object& request) {
  awaiting_ = true;
  loop_.cancel(idle_timer_);
  const std::uint64_t number = ++requests_;
  on_request_(request, [weak = weak_from_this(), number](const json::object& reply) {
    if (const auto self = weak.lock()) self->on_reply(number, reply);
  });
}

void ControlConnection::on_reply(std::uint64_t number, const json::object& reply) {
  if (!is_open() || !awaiting_ || number != requests_) return;
  awaiting_ = false;
  answer(reply);
  // The next request waits for a turn of its own: the broker is in the midst of this one.
  if (!serving_) finish_turn();
}

void ControlConnection::answer(const json::object& reply) {
  output_ += json_line(reply);
  restart_idle_limit();
}

void ControlConnection::publish(std::string_view line) {
  if (!is_open()) return;
  output_ += line;
  if (!send_output()) return close();
  if (unread() > limits_.unread) {
    log_warning("control_client_closed")("reason", "does not read its events")("unread", unread());
    return close();
  }
  watch_what_matters();
}

bool ControlConnection::send_output() {
  const std::size_t before = unread();
  while (unread() > 0) {
    const ssize_t size =
        ::send(socket_.get(), output_.data() + sent_, unread(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) return false;
    if (size < 0) break;
    sent_ += static_cast<std::size_t>(size);
  }
  if (unread() == 0 || sent_ > limits_.unread) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  if (before > 0 && unread() == 0) restart_idle_limit();
  return true;
}

void ControlConnection::watch_what_matters() {
  const bool wants_input = may_serve() && !input_ended_ && input_.size() <= limits_.line;
  const std::uint32_t events = (wants_input ? EPOLLIN : 0U) | (unread() > 0 ? EPOLLOUT : 0U);
  if (events == watched_) return;
  watched_ = events;
  if (!loop_.modify(watch_, socket_.get(), events)) close();
}

/// A subscriber may be silent for ever: what it does not read is bounded.
void ControlConnection::restart_idle_limit() {
  loop_.cancel(idle_timer_);
  if (subscribed_ || awaiting_) return;
  idle_timer_ = loop_.after(limits_.idle, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close();
  });
}

}  // namespace mpb
