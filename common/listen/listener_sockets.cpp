#include "common/listen/listener_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "common/log/error_log.hpp"

namespace mpb {
namespace {

constexpr RateLimit kLines{10, Duration{10'000}};  // of a kind
constexpr std::chrono::seconds kBetweenReplacements{5};
constexpr std::chrono::minutes kBetweenAttempts{1};

bool machine_lacks(const Error& error) {
  return error.code == EADDRNOTAVAIL || error.code == EAFNOSUPPORT;
}

Result<SharedSocket> share(Result<ListeningSocket> socket) {
  if (!socket) return socket.error();
  return std::make_shared<ListeningSocket>(*std::move(socket));
}

void warn_of_other_address(const ListenerSettings& listener, const ListeningSocket& socket) {
  const auto& wanted = listener.endpoints;
  if (std::find(wanted.begin(), wanted.end(), socket.address()) != wanted.end()) return;
  log_warning("socket.address")("listener", listener.name)("listen", listener.listen)(
      "address", socket.address().to_string())(
      "why", "the service manager passed a socket of the listener's name: that one is used");
}

struct Adopted {
  std::vector<ListenerSocket> sockets;
  std::vector<bool> served;  // by the listener's addresses
  bool by_name = false;      // the unit has said where to listen, whatever the listener says
};

Result<Adopted> adopt_all(const ListenerSettings& listener, const SocketSetup& setup,
                          std::vector<ClaimedSocket> claimed) {
  Adopted adopted;
  adopted.served.resize(listener.endpoints.size());
  for (ClaimedSocket& claim : claimed) {
    auto socket = share(ListeningSocket::adopt(std::move(claim.socket), setup));
    if (!socket) return socket.error();
    if (claim.endpoint) {
      adopted.served[*claim.endpoint] = true;
      adopted.sockets.push_back({listener.endpoints[*claim.endpoint], *socket});
    } else {
      adopted.by_name = true;
      warn_of_other_address(listener, **socket);
      adopted.sockets.push_back({(*socket)->address(), *socket});
    }
  }
  return adopted;
}

Result<SharedSocket> find_or_open(const Endpoint& endpoint, const SocketSetup& setup,
                                  const SocketFinder& find) {
  if (SharedSocket found = find(endpoint)) return found;
  return share(ListeningSocket::open(endpoint, setup));
}

}  // namespace

SocketSetup socket_setup(const ListenerSettings& listener, const Settings& settings) {
  return {listener.backlog, listener.mode, listener.keepalive, settings.send_timeout.count() > 0};
}

std::vector<SocketWish> socket_wishes(const std::vector<ListenerSettings>& listeners) {
  std::vector<SocketWish> wishes;
  for (const ListenerSettings& listener : listeners) {
    wishes.push_back({listener.name, listener.endpoints});
  }
  return wishes;
}

std::vector<std::vector<ClaimedSocket>> distribute(std::vector<InheritedSocket> sockets,
                                                   const std::vector<SocketWish>& wishes) {
  std::vector<std::vector<ClaimedSocket>> given(wishes.size());
  const auto claims = claim_sockets(sockets, wishes);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (claims[i]) {
      given[claims[i]->wish].push_back({claims[i]->endpoint, std::move(sockets[i].socket)});
      continue;
    }
    log_warning("socket.unclaimed")("socket", describe(sockets[i]))(
        "why", "no listener has its name or its address: it is closed")(
        "help",
        "give a listener this address, or name it as FileDescriptorName= of the socket unit does");
  }
  return given;
}

Result<std::vector<ListenerSocket>> open_listener(const ListenerSettings& listener,
                                                  const SocketSetup& setup,
                                                  std::vector<ClaimedSocket> claimed,
                                                  const SocketFinder& find) {
  auto adopted = adopt_all(listener, setup, std::move(claimed));
  if (!adopted) return adopted.error();
  std::vector<ListenerSocket> sockets = std::move(adopted->sockets);
  if (adopted->by_name) return sockets;
  std::optional<Error> lacking;
  for (std::size_t i = 0; i < listener.endpoints.size(); ++i) {
    if (adopted->served[i]) continue;
    auto socket = find_or_open(listener.endpoints[i], setup, find);
    if (socket) {
      sockets.push_back({listener.endpoints[i], *std::move(socket)});
      continue;
    }
    lacking = socket.error();
    if (listener.endpoints.size() == 1 || !machine_lacks(*lacking)) return *lacking;
  }
  if (lacking && sockets.empty()) return *lacking;
  if (lacking) log_warning("address.left_out")("listener", listener.name)("why", lacking->text);
  return sockets;
}

void warn_of_taken_path(std::string_view listener, const ListeningSocket& socket) {
  if (socket.path_state() != OwnedPath::State::kReplaced) return;
  log_warning("listener.path_taken")("listener", listener)("address", socket.address().to_string())(
      "why", "another server's socket, or a file that is no socket, is there by now")(
      "help", "if it is not wanted there, move it away and reload");
}

void ListenerReport::mended(const ListeningSocket& socket, std::string_view listener,
                            const std::string& changed, TimePoint now) {
  if (!mended_.ready(now, kLines)) return mended_.hold_back();
  log_warning("listener.mended")("listener", listener)("address", socket.address().to_string())(
      "changed", changed)("untold", mended_.take(now, kLines))(
      "why", "another process that shares the socket changed it");
}

void ListenerReport::renewed(const ListeningSocket& socket, std::string_view listener,
                             TimePoint now) {
  if (!renewed_.ready(now, kLines)) return renewed_.hold_back();
  log_info("listener.renewed")("listener", listener)("address", socket.address().to_string())(
      "untold", renewed_.take(now, kLines))(
      "why", "a worker that accepted there ended, and not because it was told to");
}

void ListenerReport::lost(const ListeningSocket& socket, std::string_view listener,
                          const std::string& changed, const Error& why, TimePoint now) {
  if (!lost_.ready(now, kLines)) return lost_.hold_back();
  LogLine line(LogLevel::kError, "listener.lost");
  line("listener", listener)("address", socket.address().to_string())("changed", changed)(
      "untold", lost_.take(now, kLines));
  add_error(line, why);
}

void ListenerReport::kept(const ListeningSocket& socket, std::string_view listener,
                          const Error& why, TimePoint now) {
  if (!kept_.ready(now, kLines)) return kept_.hold_back();
  log_warning("listener.kept")("listener", listener)("address", socket.address().to_string())(
      "untold", kept_.take(now, kLines))(
      "what",
      "a worker that accepted there ended, and not because it was told to: what can be "
      "seen of what it did was undone, but the socket cannot be made anew")("why", why.text)(
      "help", "if clients do not arrive there, restart what has opened it");
}

bool ListenerUpkeep::run(ListeningSocket& socket, std::string_view listener, TimePoint now,
                         ListenerReport& report, const std::function<void()>& let_go) {
  bool changed = look_at_rest(now, let_go);
  changed = mend(socket, listener, now, report, let_go) || changed;
  return replace(socket, listener, now, report, let_go) || changed;
}

bool ListenerUpkeep::look_at_rest(TimePoint now, const std::function<void()>& let_go) {
  if (!rest_ || !rest_->is_over(now)) return false;
  if (let_go) let_go();
  rest_.reset();
  return true;
}

bool ListenerUpkeep::mend(ListeningSocket& socket, std::string_view listener, TimePoint now,
                          ListenerReport& report, const std::function<void()>& let_go) {
  const ListeningSocket::Upkeep upkeep = socket.keep_up();
  if (upkeep.changed.empty() && !upkeep.spoilt) return false;
  if (!upkeep.spoilt) {
    report.mended(socket, listener, upkeep.changed, now);
    return false;
  }
  if (let_go) let_go();
  const bool had_rest = std::exchange(rest_, nullptr) != nullptr;
  auto old = socket.renew(ListeningSocket::Renewal::kAtAnyPrice);
  if (!old) {
    report.lost(socket, listener, upkeep.changed, old.error(), now);
    return had_rest;
  }
  report.mended(socket, listener, upkeep.changed, now);
  if (*old) keep(*std::move(old), now);
  distrusted_ = false;
  return true;
}

/// One at a time: a rest is accepted from until it is over.
bool ListenerUpkeep::replace(ListeningSocket& socket, std::string_view listener, TimePoint now,
                             ListenerReport& report, const std::function<void()>& let_go) {
  if (!distrusted_ || rest_ || now < next_replacement_) return false;
  next_replacement_ = now + kBetweenReplacements;
  if (socket.inherited()) {
    distrusted_ = false;
    report.kept(socket, listener, unavailable_error("it belongs to the service manager"), now);
    return false;
  }
  if (let_go) let_go();
  auto old = socket.renew(ListeningSocket::Renewal::kGentle);
  if (!old) {
    next_replacement_ = now + kBetweenAttempts;
    report.kept(socket, listener, old.error(), now);
    return false;
  }
  distrusted_ = false;
  report.renewed(socket, listener, now);
  if (*old) keep(*std::move(old), now);
  return true;
}

}  // namespace mpb
