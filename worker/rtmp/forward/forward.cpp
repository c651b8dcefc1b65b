#include "worker/rtmp/forward/forward.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "proto/rtmp/command.hpp"
#include "worker/rtmp/forward/forwarded_client.hpp"

namespace mpb::rtmp {
namespace {

/// A client of which nothing but its address is known is one that has not sent its connect.
struct ForwardState final : ClientState {
  std::string address;  // as a prefix told it
  ConnectSearch search;
  bool connect_seen = false;
  std::optional<ForwardedClient> forwarded;
};

ForwardState& state_of(Client& client) {
  if (!client.state) client.state = std::make_unique<ForwardState>();
  return static_cast<ForwardState&>(*client.state);  // NOLINT(*-downcast): no other is put there
}

std::string peer_address(int socket) {
  Endpoint peer;
  peer.length = sizeof peer.address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer.address), &peer.length) != 0)
    return {};
  return peer.to_string();
}

}  // namespace

ConnectSearch::Result ConnectSearch::look(std::string_view bytes) {
  if (result_ != Result::kNeedMore || bytes.size() < read_) return result_;
  std::string_view rest = bytes.substr(read_);
  result_ = next(rest);
  read_ = bytes.size() - rest.size();
  return result_;
}

ConnectSearch::Result ConnectSearch::next(std::string_view& bytes) {
  for (;;) {
    Message message;
    switch (reader_.read(bytes, message)) {
      case ChunkReader::Result::kNeedMore:
        return Result::kNeedMore;
      case ChunkReader::Result::kError:
        return Result::kBad;
      case ChunkReader::Result::kMessage:
        break;
    }
    const auto command = read_command(message);
    if (!command || !ends_opening(command->name)) continue;
    auto read = read_connect(*command);
    if (!read) return Result::kBad;
    target_ = std::move(*read);
    return Result::kConnect;
  }
}

bool Forward::has(const Client& client) {
  return dynamic_cast<const ForwardState*>(client.state.get()) != nullptr;
}

Forward::Forward(WorkerEnvironment& environment)
    : environment_(environment), upstreams_(environment.shared<Upstreams>()) {}

bool Forward::import_state(Client& client, std::string_view state) {
  if (!state.starts_with('A')) return false;
  ForwardState& fresh = state_of(client);
  if (client.connection->believes_peer()) fresh.address = state.substr(1);
  return true;
}

Step Forward::on_bytes(Client& client, std::string_view bytes, std::string& out) {
  ForwardState& state = state_of(client);
  switch (state.search.look(bytes)) {
    case ConnectSearch::Result::kNeedMore:
      return {};
    case ConnectSearch::Result::kBad:
      return {Step::Next::kReject};
    case ConnectSearch::Result::kConnect:
      break;
  }
  const ConnectTarget& target = state.search.target();
  // Called again when the handshake's answer is written: then the socket is ours alone.
  if (!std::exchange(state.connect_seen, true)) return {Step::Next::kYield};

  const auto refuse = [&](Reason reason, std::string_view vhost, std::string_view why) {
    upstreams_.note_unserved(vhost, why);
    Notice notice;
    notice.reason = reason;
    describe(client, notice);
    notice.vhost = vhost;
    environment_.tell(notice, client.connection->descriptor());
    append_connect_rejected(out, target.transaction, why);
    return Step{Step::Next::kClose, bytes.size()};
  };
  ForwardRequest request;
  request.vhost = client.key.empty() ? environment_.vhosts.resolve(target.vhost) : client.key;
  if (request.vhost.empty()) {
    return refuse(Reason::kVhost, target.vhost,
                  fmt::format("Vhost {} is not served here", target.vhost));
  }
  request.settings = environment_.vhosts.find(request.vhost);
  if (request.settings->upstreams.empty()) {
    return refuse(Reason::kUpstream, request.vhost,
                  fmt::format("Vhost {} has no upstream server configured", request.vhost));
  }
  request.address = state.address;
  if (request.address.empty()) request.address = peer_address(client.connection->descriptor());
  request.bytes = bytes.substr(kHandshakeBlock);
  request.transaction = target.transaction;
  state.forwarded.emplace(upstreams_, *client.connection).begin(std::move(request));
  return {Step::Next::kDetach, bytes.size()};
}

void Forward::describe(const Client& client, Notice& notice) const {
  notice.action = Notice::Action::kConnect;
  if (!client.state) return;
  // NOLINTNEXTLINE(*-downcast): no other is put there
  notice.address = static_cast<const ForwardState&>(*client.state).address;
}

void Forward::on_close(Client& client) {
  if (!client.state) return;
  if (ForwardState& state = state_of(client); state.forwarded) state.forwarded->leave();
}

}  // namespace mpb::rtmp
