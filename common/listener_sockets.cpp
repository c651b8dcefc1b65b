#include "common/listener_sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "common/error_log.hpp"

namespace mpb {
namespace {

constexpr std::chrono::minutes kBetweenLines{1};

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

bool ListenerUpkeep::run(ListeningSocket& socket, std::string_view listener, TimePoint now,
                         const std::function<void()>& let_go) {
  const ListeningSocket::Upkeep upkeep = socket.keep_up();
  if (upkeep.changed.empty() && !upkeep.spoilt) return false;
  if (upkeep.spoilt && let_go) let_go();
  const Status renewed = upkeep.spoilt ? socket.renew() : Status{};
  tell(socket, listener, upkeep.changed, renewed, now);
  return upkeep.spoilt && renewed;
}

void ListenerUpkeep::tell(const ListeningSocket& socket, std::string_view listener,
                          const std::string& changed, const Status& renewed, TimePoint now) {
  if (now < next_line_) {
    ++untold_;
    return;
  }
  next_line_ = now + kBetweenLines;
  const std::string address = socket.address().to_string();
  if (renewed) {
    log_warning("listener.mended")("listener", listener)("address", address)("changed", changed)(
        "untold", std::exchange(untold_, 0))("why",
                                             "another process that shares the socket changed it");
    return;
  }
  LogLine line(LogLevel::kError, "listener.lost");
  add_error(line("listener", listener)("address", address)("changed", changed), renewed.error());
}

}  // namespace mpb
