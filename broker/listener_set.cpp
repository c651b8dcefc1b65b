#include "broker/listener_set.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "common/listen_flags.hpp"

namespace mpb {
namespace {

bool is_served_alike(const ListenerSettings& a, const ListenerSettings& b) {
  return a.protocol == b.protocol && a.handler == b.handler && a.key_is_stream == b.key_is_stream &&
         a.prefix == b.prefix;
}

}  // namespace

void ListenerSet::adopt(std::vector<InheritedSocket> inherited) {
  inherited_ = std::move(inherited);
}

const ListenerSet::Listener* ListenerSet::find(std::uint16_t number) const {
  const auto found = listeners_.find(number);
  return found == listeners_.end() ? nullptr : &found->second;
}

const ListenerSet::Listener* ListenerSet::find_by_name(const std::string& name) const {
  for (const auto& [number, listener] : listeners_) {
    if (listener.settings.name == name) return &listener;
  }
  return nullptr;
}

std::uint16_t ListenerSet::space_of(const std::string& protocol) {
  return spaces_.try_emplace(protocol, static_cast<std::uint16_t>(spaces_.size())).first->second;
}

/// A socket for the listener: inherited, shared with a listener of this set on the same address, or
/// a new one.
Result<ListenerSet::Opened> ListenerSet::open(const ListenerSettings& settings) {
  const std::string address = settings.endpoint.to_string();
  const bool any_port = settings.endpoint.family() != AF_UNIX && address.ends_with(":0");
  if (UniqueFd socket = claim_inherited(inherited_, settings.name, settings.endpoint)) {
    ::listen(socket.get(), settings.backlog);
    return Opened{std::move(socket), true};
  }
  for (const auto& [number, listener] : listeners_) {
    const bool own = listener.settings.name == settings.name;
    if (listener.settings.endpoint.to_string() != address || (any_port && !own)) continue;
    UniqueFd copy(::fcntl(listener.socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) return system_error("cannot keep the socket of " + address);
    ::listen(copy.get(), settings.backlog);
    return Opened{std::move(copy), listener.inherited};
  }
  auto socket = listen_on(settings.endpoint, settings.backlog, settings.mode);
  if (!socket) return socket.error();
  return Opened{std::move(*socket), false};
}

Result<ListenerSet::Change> ListenerSet::apply(const std::vector<ListenerSettings>& wanted) {
  std::vector<Listener> fresh;
  std::map<std::uint16_t, bool> kept;
  for (const ListenerSettings& settings : wanted) {
    auto opened = open(settings);
    if (!opened) return opened.error();
    Listener listener;
    const Listener* old = find_by_name(settings.name);
    // Clients of a listener stay with what serves them: another protocol is another listener.
    const bool same = old != nullptr && is_served_alike(old->settings, settings);
    listener.number = same ? old->number : next_number_++;
    kept[listener.number] = true;
    listener.settings = settings;
    listener.rules = {space_of(settings.protocol), settings.policy, settings.overflow_rule(),
                      settings.sticky};
    const auto bound = local_endpoint(opened->socket.get());
    listener.address = bound ? bound->to_string() : settings.listen;
    listener.socket = std::move(opened->socket);
    listener.inherited = opened->inherited;
    fresh.push_back(std::move(listener));
  }
  Change change;
  for (const Listener& listener : fresh) {
    const Listener* old = find(listener.number);
    if (old == nullptr || old->address != listener.address) {
      change.opened.push_back(listener.number);
    }
  }
  for (const auto& [number, listener] : listeners_) {
    if (!kept.contains(number)) change.withdrawn.push_back(number);
  }
  listeners_.clear();
  for (Listener& listener : fresh) {
    change.offered.push_back(listener.number);
    listeners_.emplace(listener.number, std::move(listener));
  }
  return change;
}

void ListenerSet::close_sockets() {
  for (auto& [number, listener] : listeners_) {
    listener.socket.reset();
    if (!listener.inherited) remove_path(listener.settings.endpoint);
  }
  inherited_.clear();
}

ListenerOffer ListenerSet::offer(const Listener& listener, bool accepts) {
  ListenerOffer offer;
  channel::Listen& message = offer.message;
  message.listener = listener.number;
  message.space = listener.rules.space;
  message.name = listener.settings.name;
  message.protocol = listener.settings.protocol;
  message.handler = listener.settings.handler;
  message.flags = reading_flags(listener.settings);
  if (accepts) message.flags |= channel::Listen::kAccepts;
  if (listener.rules.policy == Policy::kLocal && !listener.rules.sticky) {
    message.flags |= channel::Listen::kServeLocal;
  }
  if (accepts) offer.socket = listener.socket.get();
  return offer;
}

}  // namespace mpb
