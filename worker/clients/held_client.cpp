#include "worker/clients/held_client.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

HeldClient::HeldClient(WorkerContext& of, ServedListener& with, ForeignDescriptor client)
    : worker(&of), listener(&with), fd(std::move(client.fd)), kind(client.kind) {
  ++listener->counters.clients;
  worker->clients.add_held();
}

HeldClient::~HeldClient() {
  try {
    close();
  } catch (const std::bad_alloc&) {
    // Its descriptor is closed all the same; the key may stay in the table.
  }
}

HeldClient& HeldClient::operator=(HeldClient&& other) noexcept {
  if (this == &other) return *this;
  std::destroy_at(this);
  return *std::construct_at(this, std::move(other));
}

HeldClient HeldClient::adopt(WorkerContext& worker, ServedListener& listener, UniqueFd fd,
                             const channel::Deliver& delivery) {
  const bool seen = (delivery.flags & channel::Deliver::kTcp) != 0;
  const StreamKind kind = seen ? StreamKind::kTcp : stream_kind(fd.get());
  HeldClient client(worker, listener, {std::move(fd), kind});
  client.exposed = client.elsewhere = true;
  client.hops = static_cast<std::uint16_t>(std::min(delivery.client.hops + 1, UINT16_MAX));
  client.state = delivery.client.state;
  client.input = delivery.client.unconsumed;
  client.enter(delivery.client.key, delivery.epoch);
  client.account();
  return client;
}

void HeldClient::enter(std::string_view name, std::uint32_t epoch) {
  KeyTable& keys = worker->keys;
  KeyState* const entered =
      name.empty() ? nullptr : &keys.enter(listener->space, name, worker->draining ? 0 : epoch);
  if (key != nullptr) keys.leave(*key, worker->loop.now());
  key = entered;
  wanted = std::string();
  if (!std::exchange(counted, true)) worker->clients.add_routed();
}

bool HeldClient::has_room() const {
  return counted || worker->clients.has_room(worker->settings.max_clients);
}

bool HeldClient::admit_source() {
  const std::uint32_t limit = worker->settings.clients_per_source;
  if (limit == 0 || source) return true;
  const auto address = peer_address(fd.get());
  if (!address) return true;  // a unix socket's
  source = worker->clients.admit_source(*address, limit);
  return source.has_value();
}

channel::Traveller HeldClient::describe() const {
  return {listener->number, hops, attempts, counted, wanted, state, input};
}

std::string_view HeldClient::key_text() const {
  return key == nullptr ? std::string_view() : key->key;
}

void HeldClient::account(std::size_t beside) {
  const std::size_t bytes = wanted.capacity() + state.capacity() + input.capacity() + beside;
  worker->environment.memory.change(accounted, bytes);
  accounted = bytes;
}

void HeldClient::close() {
  if (!fd) return;
  worker->environment.memory.change(accounted, 0);
  --listener->counters.clients;
  worker->clients.remove_held();
  if (counted) worker->clients.remove_routed();
  if (source) worker->clients.forget_source(*source);
  // The origin may hold its copy a moment longer: the peer sees the end now.
  if (exposed && !elsewhere) ::shutdown(fd.get(), SHUT_RDWR);
  if (worker->ends) dont_linger(fd.get());
  close_client({std::move(fd), kind});
  if (key != nullptr) worker->keys.leave(*key, worker->loop.now());
}

}  // namespace mpb
