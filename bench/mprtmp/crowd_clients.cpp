#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "bench/mprtmp/crowd.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr int kReadsPerEvent = 4;
// What a publisher has waiting for a server that reads too slowly.
constexpr std::size_t kMaxWaiting = 16 * 1024 * 1024;
constexpr std::size_t kMaxDetail = 200;

}  // namespace

void Crowd::start(std::uint64_t number, TimePoint begun) {
  const bool publisher = number < settings_.publishers();
  const std::uint64_t order = publisher ? number : number - settings_.publishers();
  const auto stream = static_cast<std::uint32_t>(order % settings_.names.total());
  auto made = std::make_unique<Client>(
      *this, publisher ? Session::Role::kPublish : Session::Role::kPlay, addresses_[stream]);
  Client& client = *made;
  client.number = number;
  client.stream = stream;
  client.begun = begun;
  ++counts_of(client).started;
  ++on_their_way_;
  ++unsettled_;
  if (!open(std::move(made))) return;
  const int on = 1;
  ::setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (const int code = connect(client); code != 0) return on_error(client, code);
  set_limit(client, Clock::now() + settings_.timeout);
  client.out = hello_;
  flush(client);
}

void Crowd::on_events(load::Connection& connection, std::uint32_t events) {
  auto& client = static_cast<Client&>(connection);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(client);
  if (!client.ended && (events & EPOLLOUT) != 0) flush(client);
}

void Crowd::on_due(load::Connection& connection) {
  auto& client = static_cast<Client&>(connection);
  if (client.publishing) return send_due_frames(client, Clock::now());
  if (!client.connected) return fail(client, Problem::kConnectTimeout, "");
  if (client.session.started()) return fail(client, Problem::kSilent, "");
  fail(client, Problem::kAnswerTimeout, "");
}

void Crowd::receive(Client& client) {
  for (int i = 0; i < kReadsPerEvent; ++i) {
    const ssize_t size = ::recv(client.fd, input_.data(), input_.size(), 0);
    if (size < 0) {
      if (errno != EAGAIN) on_error(client, errno);
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

void Crowd::flush(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t sent = ::send(client.fd, client.out.data() + client.sent,
                                client.out.size() - client.sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return on_error(client, errno);
    if (sent < 0) {
      if (client.out.size() - client.sent > kMaxWaiting) {
        return fail(client, Problem::kNotTaken, "");
      }
      return watch(client, EPOLLIN | EPOLLOUT);
    }
    if (!client.connected) {
      client.connected = true;
      tally_.connect.record((Clock::now() - client.begun).count());
    }
    client.sent += static_cast<std::size_t>(sent);
    if (client.publishing) tally_.total.bytes_sent += static_cast<std::uint64_t>(sent);
  }
  client.out.clear();
  client.sent = 0;
  watch(client, EPOLLIN);
}

/// A player that gets a frame each 10 ms does not move in the list each time.
void Crowd::restart_limit(Client& client, TimePoint now) {
  // A publisher gets nothing any more.
  if (client.role == Session::Role::kPublish && client.session.started()) return;
  if (client.when() - now < settings_.timeout * 7 / 8) set_limit(client, now + settings_.timeout);
}

void Crowd::on_started(Client& client) {
  arrived();
  tally_.started.record((client.received - client.begun).count());
  client.joined = client.received;
  if (client.role == Session::Role::kPlay) {
    client.out.shrink_to_fit();
    return on_until(client, Until::kStart);
  }
  settle(client);
  begin_publication(client);
}

void Crowd::on_media_begun(Client& client) {
  if (client.has_media || client.ended) return;
  client.has_media = true;
  tally_.first_media.record((client.received - client.begun).count());
  on_until(client, Until::kMedia);
}

void Crowd::on_media(Client& client, const Skimmed& message) {
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
void Crowd::on_until(Client& client, Until reached) {
  if (client.ended || client.settled) return;
  if (!settings_.churn) {
    if (reached == Until::kKey) settle(client);
  } else if (reached >= settings_.until && client.session.started()) {
    settle(client);
    end(client, tally_.players.served);
  }
}

void Crowd::settle(Client& client) {
  client.settled = true;
  --unsettled_;
}

void Crowd::fail(Client& client, Problem problem, std::string_view detail) {
  if (client.ended) return;
  ++tally_.problems[static_cast<std::size_t>(problem)];
  std::string text = fmt::format(
      "{} {} of {}/{}: {}", client.role == Session::Role::kPublish ? "publisher" : "player",
      client.number, addresses_[client.stream].tc_url, addresses_[client.stream].stream,
      problem_names()[static_cast<std::size_t>(problem)].text);
  if (!detail.empty()) text += fmt::format(" ({})", load::printable(detail.substr(0, kMaxDetail)));
  tally_.add_sample(std::move(text));
  if (problem == Problem::kConnectRefused) pause_starts();
  ClientCounts& outcome = counts_of(client);
  end(client, problem == Problem::kWrongStream ? outcome.wrong : outcome.lost);
}

void Crowd::on_error(load::Connection& connection, int code) {
  auto& client = static_cast<Client&>(connection);
  fail(client, problem_of_errno(code, !client.connected), std::strerror(code));
}

void Crowd::end(Client& client, std::uint64_t& outcome) {
  ++outcome;
  if (!client.session.started()) arrived();
  if (!client.settled) --unsettled_;
  if (client.role == Session::Role::kPlay) client.view.close(tally_);
  Engine::end(client);
}

ClientCounts& Crowd::counts_of(const Client& client) {
  return client.role == Session::Role::kPublish ? tally_.publishers : tally_.players;
}

}  // namespace mpb::rtmp_load
