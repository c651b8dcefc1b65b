#include "worker/rtmp/rtmp_handler.hpp"

#include <memory>
#include <string>
#include <utility>

#include "worker/rtmp/relay/handler_choice.hpp"

namespace mpb::rtmp {
namespace {

/// A client whose connect has not been read, and what its next handler must know of it.
struct Undecided final : ClientState {
  explicit Undecided(std::string_view state) : imported(state) {}
  std::string imported;  // may be empty
  ConnectSearch search;
};

Undecided* undecided(const Client& client) {
  return dynamic_cast<Undecided*>(client.state.get());
}

}  // namespace

RtmpHandler::RtmpHandler(WorkerEnvironment& environment, const ListenerTraits& traits)
    : environment_(environment),
      traits_(traits),
      relay_(environment, traits),
      forward_(environment) {}

Handler& RtmpHandler::the_listeners() {
  return traits_.forwards ? static_cast<Handler&>(forward_) : relay_;
}

Handler& RtmpHandler::handler_of(const Client& client) {
  return Forward::has(client) ? static_cast<Handler&>(forward_) : relay_;
}

const Handler& RtmpHandler::handler_of(const Client& client) const {
  return Forward::has(client) ? static_cast<const Handler&>(forward_) : relay_;
}

Handler* RtmpHandler::choose(const Client& client, std::string_view bytes, ConnectSearch& search) {
  if (!environment_.vhosts.has_handlers()) return &the_listeners();
  switch (search.look(bytes)) {
    case ConnectSearch::Result::kNeedMore:
      return nullptr;
    case ConnectSearch::Result::kBad:
      return &the_listeners();  // who says so in its own way
    case ConnectSearch::Result::kConnect:
      break;
  }
  const ConnectTarget& target = search.target();
  const std::string vhost =
      client.key.empty() ? environment_.vhosts.resolve(target.vhost) : std::string(client.key);
  if (vhost.empty()) {
    // One that names none may do so with its streams, and only the relay hears of those.
    return target.names_vhost ? &the_listeners() : &relay_;
  }
  return forwards(environment_, traits_, vhost) ? static_cast<Handler*>(&forward_) : &relay_;
}

Step RtmpHandler::on_bytes(Client& client, std::string_view bytes, std::string& out) {
  Undecided* const waiting = undecided(client);
  if (client.state && waiting == nullptr) return handler_of(client).on_bytes(client, bytes, out);
  std::unique_ptr<Undecided> fresh;
  if (waiting == nullptr) fresh = std::make_unique<Undecided>(std::string_view());
  Undecided& one = waiting != nullptr ? *waiting : *fresh;
  Handler* const chosen = choose(client, bytes, one.search);
  if (chosen == nullptr) {
    if (fresh) client.state = std::move(fresh);
    return {};
  }
  const std::string imported = std::move(one.imported);
  client.state.reset();
  if (!imported.empty() && !chosen->import_state(client, imported)) return {Step::Next::kReject};
  return chosen->on_bytes(client, bytes, out);
}

void RtmpHandler::on_writable(Client& client) {
  if (client.state) handler_of(client).on_writable(client);
}

std::string RtmpHandler::export_state(const Client& client) {
  if (const Undecided* waiting = undecided(client)) return waiting->imported;
  return handler_of(client).export_state(client);
}

bool RtmpHandler::import_state(Client& client, std::string_view state) {
  // A client that moves once its connect was answered was the relay's.
  constexpr char kRelayed = 'S';
  if (state.starts_with(kRelayed)) return relay_.import_state(client, state);
  if (!state.starts_with('A')) return false;
  client.state = std::make_unique<Undecided>(state);
  return true;
}

std::string RtmpHandler::refusal(const Client& client, std::string_view why) {
  if (!client.state || undecided(client) != nullptr) return {};
  return handler_of(client).refusal(client, why);
}

void RtmpHandler::on_slow(Client& client) {
  if (client.state && undecided(client) == nullptr) handler_of(client).on_slow(client);
}

void RtmpHandler::on_shortage(Client& client) {
  if (client.state && undecided(client) == nullptr) handler_of(client).on_shortage(client);
}

void RtmpHandler::describe(const Client& client, Notice& notice) const {
  if (!client.state) return;
  if (const Undecided* waiting = undecided(client)) {
    const bool told = !waiting->imported.empty() && client.connection->believes_peer();
    if (told) notice.address = std::string_view(waiting->imported).substr(1);
    return;
  }
  handler_of(client).describe(client, notice);
}

void RtmpHandler::on_close(Client& client) {
  if (client.state && undecided(client) == nullptr) handler_of(client).on_close(client);
}

}  // namespace mpb::rtmp
