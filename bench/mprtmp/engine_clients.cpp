#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "bench/mprtmp/engine.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr int kReadsPerEvent = 4;
// What a publisher has waiting for a server that reads too slowly.
constexpr std::size_t kMaxWaiting = 16 * 1024 * 1024;
// Keeps a loop against a dead port from spinning.
constexpr Duration kPauseAfterRefusal{10};

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 200)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

}  // namespace

void Engine::Client::on_accepted() {
  engine.tally_.accepted.record((received - begun).count());
}

void Engine::start(std::uint64_t number, TimePoint begun) {
  const bool publisher = number < settings_.publishers();
  const std::uint64_t order = publisher ? number : number - settings_.publishers();
  const auto stream = static_cast<std::uint32_t>(order % settings_.names.total());
  auto made = std::make_unique<Client>(
      *this, publisher ? Session::Role::kPublish : Session::Role::kPlay, addresses_[stream]);
  Client& client = *made;
  client.number = number;
  client.stream = stream;
  client.begun = begun;
  client.place = clients_.size();
  clients_.push_back(std::move(made));
  ++counts(client).started;
  ++on_their_way_;
  ++unsettled_;
  client.fd.reset(connector_.open_socket(number));
  if (!client.fd) return fail_errno(client, errno);
  const int on = 1;
  ::setsockopt(client.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int code = connector_.begin(client.fd.get());
  if (code != 0 && code != EINPROGRESS) return fail_errno(client, code);
  limits_.restart(client, Clock::now());
  client.out = hello_;
  // Over loopback the connection stands when connect() returns, though it says EINPROGRESS.
  flush(client);
}

void Engine::handle(Client& client, std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(client);
  if (!client.ended && (events & EPOLLOUT) != 0) flush(client);
}

void Engine::receive(Client& client) {
  for (int i = 0; i < kReadsPerEvent; ++i) {
    const ssize_t size = ::recv(client.fd.get(), input_.data(), input_.size(), 0);
    if (size < 0) {
      if (errno != EAGAIN) fail_errno(client, errno);
      return;
    }
    if (size == 0) return fail(client, Problem::kClosed, "");
    const auto bytes = static_cast<std::size_t>(size);
    client.received = Clock::now();
    if (client.role == Session::Role::kPlay) tally_.total.bytes_received += bytes;
    restart_limit(client, client.received);
    const bool well = client.session.receive({input_.data(), bytes}, client.out, client);
    if (client.ended) return;
    if (!well) return fail(client, Problem::kBadBytes, client.session.why());
    if (client.sent < client.out.size()) flush(client);
    if (client.ended || bytes < input_.size()) return;
  }
}

void Engine::flush(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t sent = ::send(client.fd.get(), client.out.data() + client.sent,
                                client.out.size() - client.sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return fail_errno(client, errno);
    if (sent < 0) {
      if (client.out.size() - client.sent > kMaxWaiting) {
        return fail(client, Problem::kNotTaken, "");
      }
      return set_interest(client, EPOLLIN | EPOLLOUT);
    }
    if (!client.connected) {
      client.connected = true;
      tally_.connect.record((Clock::now() - client.begun).count());
    }
    client.sent += static_cast<std::size_t>(sent);
    if (client.scheduled) tally_.total.bytes_sent += static_cast<std::uint64_t>(sent);
  }
  client.out.clear();
  client.sent = 0;
  set_interest(client, EPOLLIN);
}

void Engine::set_interest(Client& client, std::uint32_t events) {
  if (client.registered == events) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &client;
  const int operation = client.registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  client.registered = events;
  if (::epoll_ctl(epoll_.get(), operation, client.fd.get(), &event) != 0) fail_errno(client, errno);
}

/// A player that gets a frame each 10 ms does not move in the list each time.
void Engine::restart_limit(Client& client, TimePoint now) {
  // A publisher gets nothing any more.
  if (client.role == Session::Role::kPublish && client.session.started()) return;
  if (client.when() - now < settings_.timeout * 7 / 8) limits_.restart(client, now);
}

void Engine::expire(Client& client) {
  if (!client.connected) return fail(client, Problem::kConnectTimeout, "");
  if (client.session.started()) return fail(client, Problem::kSilent, "");
  fail(client, Problem::kAnswerTimeout, "");
}

void Engine::on_started(Client& client) {
  --on_their_way_;
  tally_.started.record((client.received - client.begun).count());
  client.joined = client.received;
  if (client.role == Session::Role::kPlay) {
    client.out.shrink_to_fit();
    return on_until(client, Until::kStart);
  }
  DeadlineList<Client>::stop(client);
  settle(client);
  begin_publication(client);
}

void Engine::on_media_begun(Client& client) {
  if (client.has_media || client.ended) return;
  client.has_media = true;
  tally_.first_media.record((client.received - client.begun).count());
  on_until(client, Until::kMedia);
}

void Engine::on_media(Client& client, const Skimmed& message) {
  if (client.ended || client.role != Session::Role::kPlay) return;
  const auto verdict =
      client.view.on_media(message, client.stream, client.joined, client.received, tally_);
  if (verdict == PlayerView::Verdict::kWrongStream) {
    return fail(client, Problem::kWrongStream, "");
  }
  if (verdict == PlayerView::Verdict::kFirstKey) {
    tally_.first_key.record((client.received - client.begun).count());
    on_until(client, Until::kKey);
  }
}

/// Players that stay are served from their first key frame on.
void Engine::on_until(Client& client, Until reached) {
  if (client.ended || client.settled) return;
  if (!settings_.churn) {
    if (reached == Until::kKey) settle(client);
  } else if (reached >= settings_.until && client.session.started()) {
    settle(client);
    end(client, tally_.players.served);
  }
}

void Engine::settle(Client& client) {
  client.settled = true;
  --unsettled_;
}

void Engine::fail(Client& client, Problem problem, std::string_view detail) {
  if (client.ended) return;
  ++tally_.problems[static_cast<std::size_t>(problem)];
  std::string text = fmt::format("{} {} of {}/{}: {}",
                                 client.role == Session::Role::kPublish ? "publisher" : "player",
                                 client.number, addresses_[client.stream].tc_url,
                                 addresses_[client.stream].stream, problem_text(problem));
  if (!detail.empty()) text += fmt::format(" ({})", printable(detail));
  tally_.add_sample(std::move(text));
  if (problem == Problem::kConnectRefused) refused_until_ = Clock::now() + kPauseAfterRefusal;
  ClientCounts& outcome = counts(client);
  end(client, problem == Problem::kWrongStream ? outcome.wrong : outcome.lost);
}

void Engine::fail_errno(Client& client, int code) {
  fail(client, problem_of_errno(code, !client.connected), std::strerror(code));
}

void Engine::end(Client& client, std::uint64_t& outcome) {
  ++outcome;
  if (!client.session.started()) --on_their_way_;
  if (!client.settled) --unsettled_;
  client.ended = true;
  DeadlineList<Client>::stop(client);
  end_publication(client);
  if (client.role == Session::Role::kPlay) client.view.close(tally_);
  // The socket is this process's alone: closing it takes it out of the epoll set.
  if (client.fd) connector_.close(client.fd.release());
  const std::size_t place = client.place;
  std::swap(clients_[place], clients_.back());
  clients_[place]->place = place;
  ended_.push_back(std::move(clients_.back()));
  clients_.pop_back();
}

ClientCounts& Engine::counts(const Client& client) {
  return client.role == Session::Role::kPublish ? tally_.publishers : tally_.players;
}

}  // namespace mpb::rtmp_load
