#include "broker/listener_set.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "common/config/network.hpp"
#include "common/config/rule_facts.hpp"
#include "common/listen/listen_flags.hpp"

namespace mpb {
namespace {

bool is_served_alike(const ListenerSettings& a, const ListenerSettings& b) {
  return a.protocol == b.protocol && a.handler == b.handler && a.key == b.key &&
         a.prefix == b.prefix;
}

}  // namespace

const ListenerSet::Listener* ListenerSet::find(std::uint16_t number) const {
  const auto found = listeners_.find(number);
  return found == listeners_.end() ? nullptr : &found->second;
}

std::uint16_t ListenerSet::space_of(const std::string& protocol) {
  return spaces_.try_emplace(protocol, static_cast<std::uint16_t>(spaces_.size())).first->second;
}

std::string ListenerSet::protocol_of(std::uint16_t space) const {
  for (const auto& [protocol, number] : spaces_) {
    if (number == space) return protocol;
  }
  return {};
}

std::vector<ListenerSocket> ListenerSet::sockets_before(const ListenerSettings& listener) const {
  std::vector<ListenerSocket> sockets;
  for (const auto& [number, old] : listeners_) {
    if (old.settings.name != listener.name || old.settings.endpoints != listener.endpoints) {
      continue;
    }
    if (!old.socket || old.socket->path_state() == OwnedPath::State::kGone) return {};
    sockets.push_back({old.wanted, old.socket});
  }
  return sockets;
}

/// Whichever listener has it; what listens on a port that the kernel chose is its own alone.
SharedSocket ListenerSet::find_socket(const ListenerSettings& listener,
                                      const Endpoint& endpoint) const {
  const bool any_port = endpoint.family() != AF_UNIX && endpoint.port() == 0;
  for (const auto& [number, old] : listeners_) {
    if (!(old.wanted == endpoint) || (any_port && old.settings.name != listener.name)) continue;
    if (old.socket && old.socket->path_state() != OwnedPath::State::kGone) return old.socket;
  }
  return nullptr;
}

Result<std::vector<ListenerSocket>> ListenerSet::sockets_for(const ListenerSettings& listener,
                                                             const SocketSetup& setup,
                                                             std::vector<ClaimedSocket> claimed) {
  if (claimed.empty()) {
    auto before = sockets_before(listener);
    if (!before.empty()) return before;
  }
  return open_listener(listener, setup, std::move(claimed),
                       [&](const Endpoint& endpoint) { return find_socket(listener, endpoint); });
}

/// A socket that cannot be taken over is opened anew.
void ListenerSet::resume(std::vector<Left> left, std::map<std::string, std::uint16_t> spaces,
                         std::uint16_t next_number) {
  spaces_ = std::move(spaces);
  next_number_ = next_number;
  for (Left& one : left) {
    Listener& listener = listeners_[one.number];
    listener.number = one.number;
    listener.settings = std::move(one.settings);
    listener.wanted = one.wanted;
    if (!one.socket) continue;
    auto socket = ListeningSocket::take_over(std::move(one.socket), one.wanted, {});
    if (socket) listener.socket = std::make_shared<ListeningSocket>(*std::move(socket));
  }
}

ListenerSet::Listener ListenerSet::make_listener(const ListenerSettings& settings,
                                                 ListenerSocket socket) {
  Listener listener;
  listener.settings = settings;
  listener.rules = {space_of(settings.protocol),
                    settings.policy,
                    settings.overflow_rule(),
                    settings.sticky,
                    settings.isolate,
                    settings.isolate_overflow};
  listener.wanted = socket.wanted;
  listener.address = socket.socket->address().to_string();
  listener.socket = std::move(socket.socket);
  listener.prefix_from = pack(settings.prefix_from);
  return listener;
}

/// Clients of a listener stay with what serves them: another protocol is another listener.
void ListenerSet::number(std::vector<Listener>& fresh) {
  std::vector<bool> numbered(fresh.size());
  std::set<std::uint16_t> taken;
  for (const bool same_address : {true, false}) {
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      for (const auto& [number, old] : listeners_) {
        if (numbered[i] || taken.contains(number)) continue;
        if (old.settings.name != fresh[i].settings.name ||
            !is_served_alike(old.settings, fresh[i].settings) ||
            (same_address && !(old.wanted == fresh[i].wanted))) {
          continue;
        }
        fresh[i].number = number;
        numbered[i] = true;
        taken.insert(number);
      }
    }
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (!numbered[i]) fresh[i].number = next_number_++;
  }
}

ListenerSet::Change ListenerSet::difference(const std::vector<Listener>& fresh) const {
  Change change;
  std::set<std::uint16_t> kept;
  for (const Listener& listener : fresh) {
    kept.insert(listener.number);
    change.current.push_back(listener.number);
    const Listener* old = find(listener.number);
    if (old == nullptr || old->socket != listener.socket) change.opened.push_back(listener.number);
  }
  for (const auto& [number, listener] : listeners_) {
    if (!kept.contains(number)) change.withdrawn.push_back(number);
  }
  return change;
}

void ListenerSet::keep_upkeep(std::vector<Listener>& fresh) {
  for (auto& [number, old] : listeners_) {
    for (Listener& listener : fresh) {
      if (listener.socket == old.socket) listener.upkeep = std::move(old.upkeep);
    }
  }
}

Result<ListenerSet::Change> ListenerSet::apply(const Settings& settings) {
  const auto& wanted = settings.listeners;
  auto inherited = std::exchange(inherited_, {});
  inherited.resize(wanted.size());
  std::vector<Listener> fresh;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    auto sockets =
        sockets_for(wanted[i], socket_setup(wanted[i], settings), std::move(inherited[i]));
    if (!sockets) return sockets.error();
    for (ListenerSocket& socket : *sockets) {
      fresh.push_back(make_listener(wanted[i], std::move(socket)));
    }
  }
  number(fresh);
  Change change = difference(fresh);
  keep_upkeep(fresh);
  listeners_.clear();
  for (Listener& listener : fresh) {
    listener.socket->set_up(socket_setup(listener.settings, settings));
    warn_of_taken_path(listener.settings.name, *listener.socket);
    listeners_.emplace(listener.number, std::move(listener));
  }
  return change;
}

void ListenerSet::distrust() {
  for (auto& [number, listener] : listeners_) listener.upkeep.distrust();
}

std::vector<std::uint16_t> ListenerSet::keep_up(TimePoint now,
                                                const std::function<void()>& let_go) {
  constexpr std::size_t kAtOnce = 64;
  std::vector<std::uint16_t> renewed;
  auto next = listeners_.lower_bound(kept_up_);
  for (std::size_t i = 0; i < std::min(kAtOnce, listeners_.size()); ++i) {
    if (next == listeners_.end()) next = listeners_.begin();
    auto& [number, listener] = *next++;
    kept_up_ = static_cast<std::uint16_t>(number + 1);
    if (listener.upkeep.run(*listener.socket, listener.settings.name, now, report_, let_go)) {
      renewed.push_back(number);
    }
  }
  return renewed;
}

void ListenerSet::close_sockets() {
  for (auto& [number, listener] : listeners_) {
    listener.upkeep.drop_rest();
    listener.socket->close();
  }
}

std::vector<int> ListenerSet::sockets() const {
  std::vector<int> sockets;
  for (const auto& [number, listener] : listeners_) {
    sockets.push_back(listener.socket->descriptor());
    if (listener.upkeep.rest() >= 0) sockets.push_back(listener.upkeep.rest());
  }
  return sockets;
}

std::vector<ToldListener> ListenerSet::for_worker(const Listener& listener, bool accepts,
                                                  bool spread) {
  ToldListener told;
  channel::Listen& message = told.message;
  message.listener = listener.number;
  message.space = listener.rules.space;
  message.name = listener.settings.name;
  message.protocol = listener.settings.protocol;
  message.handler = listener.settings.handler;
  message.prefix_from = listener.prefix_from;
  message.flags = reading_flags(listener.settings);
  if (accepts) message.flags |= channel::Listen::kAccepts;
  if (listener.rules.policy == Policy::kLocal && !listener.rules.sticky) {
    message.flags |= channel::Listen::kServeLocal;
  }
  // Who has no key yet may name one later, and goes to its owner then; where each client has a
  // process of its own, to that.
  const bool offers_keyless =
      spread && listener.rules.policy != Policy::kLocal && !names_keys(listener.settings);
  if (offers_keyless || listener.rules.isolate == Isolation::kClient) {
    message.flags |= channel::Listen::kSpread;
  }
  std::vector<ToldListener> all;
  if (accepts && listener.upkeep.rest() >= 0) {
    told.socket = listener.upkeep.rest();
    all.push_back(told);
    message.flags |= channel::Listen::kBeside;
  }
  if (accepts) told.socket = listener.socket->descriptor();
  all.push_back(told);
  return all;
}

}  // namespace mpb
