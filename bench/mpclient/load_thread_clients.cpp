#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "bench/mpclient/load_thread.hpp"

namespace mpb::load {
namespace {

// A unix listener with a full queue gives no event when there is room again.
constexpr Duration kConnectAgain{1};
constexpr Duration kLinger{1000};

/// A dead server's FIN or reset, or an answer that nothing asked for, is there to be read.
bool connection_stands(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

std::string shown(std::string_view text) {
  return printable(text.substr(0, 60));
}

std::string worker_text(const Worker& worker) {
  return fmt::format("worker {} (pid {})", worker.slot, worker.pid);
}

}  // namespace

void LoadThread::start(std::uint64_t number, TimePoint begun) {
  std::unique_ptr<Client> made;
  if (spare_.empty()) {
    made = std::make_unique<Client>();
  } else {
    made = std::move(spare_.back());
    spare_.pop_back();
    made->renew();
  }
  Client& client = *made;
  ++tally_.started;
  ++on_their_way_;
  client.number = number;
  client.begun = begun;
  client.request = client.conversation.begin(settings_.ids.id(number), script_);
  if (open(std::move(made))) connect(client);
}

void LoadThread::retire(std::unique_ptr<Connection> connection) {
  spare_.emplace_back(static_cast<Client*>(connection.release()));
}

void LoadThread::on_events(Connection& connection, std::uint32_t events) {
  auto& client = static_cast<Client&>(connection);
  if ((watched(client) & EPOLLOUT) != 0) {
    send(client);
  } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    receive(client);
  }
}

void LoadThread::on_due(Connection& connection) {
  auto& client = static_cast<Client&>(connection);
  switch (client.state) {
    case Client::State::kQueued:
      return connect(client);
    case Client::State::kConnecting:
      return fail(client, Problem::kConnectTimeout, "");
    case Client::State::kAsking:
      return fail(client, Problem::kAnswerTimeout, "");
    case Client::State::kPausing:
      return ask(client, client.conversation.message());
    case Client::State::kLingering:
      return end(client, tally_.served, true);
    case Client::State::kStarting:
    case Client::State::kHeld:
      return;
  }
}

void LoadThread::connect(Client& client) {
  const TimePoint now = Clock::now();
  const int code = Engine::connect(client);
  if (code == EAGAIN) {
    if (now - client.begun > settings_.timeout) {
      return fail(client, Problem::kConnectTimeout, "the listener's queue stayed full");
    }
    return enter(client, Client::State::kQueued, now + kConnectAgain);
  }
  if (code != 0) return on_error(client, code);
  enter(client, Client::State::kConnecting, now + settings_.timeout);
  send(client);
}

void LoadThread::ask(Client& client, Request request) {
  if (!client.on_its_way()) ++on_their_way_;
  client.request = request;
  client.bytes_sent = 0;
  enter(client, Client::State::kAsking, Clock::now() + settings_.timeout);
  send(client);
}

void LoadThread::send(Client& client) {
  const std::string_view bytes =
      writer_.bytes(client.request, client.conversation.id()).substr(client.bytes_sent);
  const TimePoint now = Clock::now();
  const ssize_t sent = ::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return on_error(client, errno);
  if (sent < 0) return watch(client, EPOLLOUT);
  if (client.state == Client::State::kConnecting) {
    tally_.connect.record((now - client.begun).count());
    enter(client, Client::State::kAsking, now + settings_.timeout);
  }
  if (client.bytes_sent == 0) client.asked = now;
  client.bytes_sent = static_cast<std::uint16_t>(client.bytes_sent + sent);
  watch(client, static_cast<std::size_t>(sent) == bytes.size() ? EPOLLIN : EPOLLOUT);
}

void LoadThread::receive(Client& client) {
  const ssize_t count = ::recv(client.fd, input_.data(), input_.size(), 0);
  if (count < 0) return errno == EAGAIN ? void() : on_error(client, errno);
  if (count == 0) {
    const bool due = client.conversation.waiting();
    return fail(client, due ? Problem::kEofBeforeAnswer : Problem::kClosedWhileHeld, "");
  }
  const std::string_view bytes(input_.data(), static_cast<std::size_t>(count));
  const auto outcome =
      client.reader.feed(bytes, [&](std::string_view text) { return judge(client, text); });
  if (outcome == AnswerReader::Outcome::kStopped) return;
  if (outcome == AnswerReader::Outcome::kTooLong) {
    return fail(client, Problem::kBadAnswer, "longer than any of the protocol's");
  }
  if (client.conversation.waiting()) return;
  if (client.reader.inside_answer()) {
    return fail(client, Problem::kSurplusAnswer, "a beginning behind the last one due");
  }
  if (client.state == Client::State::kAsking) advance(client);
}

// False when the client has ended.
bool LoadThread::judge(Client& client, std::string_view text) {
  const bool due = client.conversation.waiting();
  switch (client.conversation.on_answer(parse_answer(text))) {
    case Conversation::Reaction::kDispatched:
      on_dispatched(client);
      return true;
    case Conversation::Reaction::kMessage:
      ++tally_.messages;
      tally_.message.record((Clock::now() - client.asked).count());
      return true;
    case Conversation::Reaction::kTold:
      return on_who(client);
    case Conversation::Reaction::kBusy:
      end(client, tally_.refused, false);
      return false;
    case Conversation::Reaction::kUnexpected:
      fail(client, due ? Problem::kBadAnswer : Problem::kSurplusAnswer, shown(text));
      return false;
    case Conversation::Reaction::kWrongId:
      fail(client, Problem::kWrongId, shown(text));
      return false;
    case Conversation::Reaction::kOtherWorker:
      fail(client, Problem::kMisrouted, fmt::format("it did not move, but: {}", shown(text)));
      return false;
  }
  return false;
}

void LoadThread::on_dispatched(Client& client) {
  const bool from_intended = settings_.mode == Mode::kOpen;
  const auto latency = Clock::now() - (from_intended ? client.begun : client.asked);
  (client.moving ? tally_.move : tally_.dispatch).record(latency.count());
}

bool LoadThread::on_who(Client& client) {
  if (client.told) return true;
  client.told = true;
  const Who& who = *client.conversation.who();
  tally_.count_who(who);
  if (!settings_.verify) return true;
  if (owners_.join(client.conversation.id(), who.worker) == OwnerTable::Meeting::kWrong) {
    fail(client, Problem::kMisrouted, worker_text(who.worker) + " is the third at once");
    return false;
  }
  client.joined = true;
  return true;
}

// All answers that were due are there.
void LoadThread::advance(Client& client) {
  if (!finishing() && !client.moving) {
    if (const auto request = client.conversation.next(script_)) return ask(client, *request);
  }
  const auto rest = finishing() ? std::nullopt : resting_state();
  if (!rest) {
    return finishing() || witnesses_ == 0 ? end(client, tally_.served, true) : linger(client);
  }
  --on_their_way_;
  const bool pausing = *rest == Client::State::kPausing;
  enter(client, *rest, pausing ? Clock::now() + settings_.interval : TimePoint::max());
}

// Without this, a client would live too short after its W for others to be compared with it.
void LoadThread::linger(Client& client) {
  --on_their_way_;
  ++lingering_count_;
  enter(client, Client::State::kLingering, Clock::now() + kLinger);
  lingering_.push_back(client);
  if (lingering_count_ > witnesses_) end(lingering_.front(), tally_.served, true);
}

std::optional<Client::State> LoadThread::resting_state() const {
  switch (settings_.mode) {
    case Mode::kPaced:
      return Client::State::kPausing;
    case Mode::kHold:
    case Mode::kStorm:
      return Client::State::kHeld;
    case Mode::kClosed:
    case Mode::kOpen:
      break;
  }
  return std::nullopt;
}

void LoadThread::fail(Client& client, Problem problem, std::string_view detail) {
  ++tally_.problems[static_cast<std::size_t>(problem)];
  if (problem == Problem::kConnectRefused && settings_.mode != Mode::kOpen) pause_starts();
  if (tally_.wants_samples()) {
    tally_.add_sample(fmt::format("client {} (id {}): {}{}{}", client.number,
                                  client.conversation.id(),
                                  problem_names()[static_cast<std::size_t>(problem)].text,
                                  detail.empty() ? "" : ": ", detail));
  }
  end(client, is_wrong(problem) ? tally_.wrong : tally_.lost, is_wrong(problem));
}

void LoadThread::on_error(Connection& connection, int code) {
  auto& client = static_cast<Client&>(connection);
  const bool connecting = client.state != Client::State::kAsking;
  fail(client, problem_of_errno(code, connecting), std::strerror(code));
}

void LoadThread::end(Client& client, std::uint64_t& outcome, bool peer_may_live) {
  ++outcome;
  leave_owner(client, peer_may_live);
  if (client.on_its_way()) --on_their_way_;
  if (client.state == Client::State::kLingering) {
    --lingering_count_;
    client.WitnessHook::unlink();
  }
  Engine::end(client);
  last_end_ = Clock::now();
}

// Before the close is sent: the server must not forget the id while we still count the client.
void LoadThread::leave_owner(Client& client, bool peer_may_live) {
  if (!client.joined) return;
  client.joined = false;
  const std::int32_t id = client.conversation.id();
  const Worker worker = client.conversation.who()->worker;
  const bool alive = peer_may_live && owners_.contested(id) && connection_stands(client.fd);
  const std::uint32_t wrong = owners_.leave(id, worker, alive);
  if (wrong == 0) return;
  tally_.wrong += wrong;
  tally_.problems[static_cast<std::size_t>(Problem::kMisrouted)] += wrong;
  tally_.add_sample(fmt::format("id {}: met another worker while client {} lived at {}", id,
                                client.number, worker_text(worker)));
}

void LoadThread::enter(Client& client, Client::State state, TimePoint due) {
  client.state = state;
  const bool sends = state == Client::State::kQueued || state == Client::State::kPausing;
  if (sends) return set_due(client, due);
  set_limit(client, due);
}

}  // namespace mpb::load
