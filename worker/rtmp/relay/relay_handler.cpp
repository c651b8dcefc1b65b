#include "worker/rtmp/relay/relay_handler.hpp"

#include "worker/rtmp/relay/relay_client.hpp"

namespace mpb::rtmp {
namespace {

RelayClient& state_of(const Client& client) {
  return static_cast<RelayClient&>(*client.state);  // NOLINT(*-downcast): no other is put there
}

}  // namespace

Step RelayHandler::on_bytes(Client& client, std::string_view bytes, std::string& out) {
  if (!client.state) client.state = std::make_unique<RelayClient>(hub_, traits_, client);
  return state_of(client).on_bytes(client, bytes, out);
}

void RelayHandler::on_writable(Client& client) {
  if (!client.state) return;
  RelayClient& relay = state_of(client);
  relay.on_writable();
  if (!relay.flush()) return hub_.finish_later(relay);
  relay.move_if_written();
}

std::string RelayHandler::export_state(const Client& client) {
  return client.state ? state_of(client).export_state() : std::string();
}

bool RelayHandler::import_state(Client& client, std::string_view state) {
  client.state = std::make_unique<RelayClient>(hub_, traits_, client);
  return state_of(client).import_state(state);
}

std::string RelayHandler::refusal(const Client& client, std::string_view why) {
  return client.state ? state_of(client).refusal_of_move(why) : std::string();
}

void RelayHandler::on_slow(Client& client) {
  if (client.state) state_of(client).note_slow();
}

void RelayHandler::on_shortage(Client& client) {
  if (client.state) state_of(client).set_end_reason(Reason::kMediaMemory);
}

void RelayHandler::describe(const Client& client, Notice& notice) const {
  if (client.state) state_of(client).describe(notice);
}

}  // namespace mpb::rtmp
