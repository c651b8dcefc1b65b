#include "worker/rtmp/access/hook_queue.hpp"

#include <algorithm>

namespace mpb::rtmp {
namespace {

/// Keeps the order by how many requests of a name wait.
template <class Order, class Name>
void move_in_order(Order& order, const Name& name, std::size_t before, std::size_t after) {
  if (before > 0) order.erase({before, name});
  if (after > 0) order.emplace(after, name);
}

/// Visits a map's entries from the one behind `last` on, once around, until `take` is true.
template <class Map, class Take>
bool take_turns(Map& map, std::string& last, Take take) {
  auto at = map.upper_bound(last);
  for (std::size_t left = map.size(); left > 0; --left, ++at) {
    if (at == map.end()) at = map.begin();
    const auto name = at->first;  // `take` may take the entry out
    if (!take(name, at->second)) continue;
    last = name;
    return true;
  }
  return false;
}

}  // namespace

bool HookQueue::server_has_place(const Server& server) const {
  return server.under_way < std::min(kMaxOfServer, kMaxUnderWay - under_way_);
}

bool HookQueue::vhost_has_place(const Server& server, const Vhost& vhost) {
  return vhost.under_way < kMaxOfServer - server.under_way;
}

bool HookQueue::source_has_place(const Vhost& vhost, const Source& source) {
  return vhost.under_way < kMaxOfVhost && source.under_way < kMaxOfVhost - vhost.under_way;
}

bool HookQueue::could_start(const Server& server, const HookPlace& place) const {
  if (!server_has_place(server)) return false;
  const auto vhost = server.vhosts.find(place.vhost);
  if (vhost == server.vhosts.end()) return server.under_way < kMaxOfServer;
  if (!vhost_has_place(server, vhost->second)) return false;
  const auto source = vhost->second.sources.find(place.source);
  if (source == vhost->second.sources.end()) return vhost->second.under_way < kMaxOfVhost;
  return source->second.waiting.empty() && source_has_place(vhost->second, source->second);
}

HookQueue::Server& HookQueue::server_of(const std::string& name, TimePoint now) {
  const auto known = servers_.find(name);
  if (known != servers_.end()) return known->second;
  if (servers_.size() >= forget_at_) forget_idle(now);
  return servers_[name];
}

/// Those of whom nothing is known that matters; not at each new one: it looks at all there are.
void HookQueue::forget_idle(TimePoint now) {
  std::erase_if(servers_, [now](const auto& entry) {
    const Server& server = entry.second;
    return server.under_way + server.waiting == 0 && server.breaker.open_until() <= now;
  });
  forget_at_ = std::max<std::size_t>(64, 2 * servers_.size());
}

HookQueue::Admission HookQueue::enter(std::uint64_t ticket, const HookPlace& place, TimePoint now) {
  Server& server = server_of(place.server, now);
  Admission admission;
  const bool was_closed = server.breaker.state() == CircuitBreaker::State::kClosed;
  if (!server.breaker.admit(now)) return {Entry::kBroken, {}};
  if (waiting_ >= kMaxWaiting && !could_start(server, place)) {
    admission.displaced = victim(place);
    if (!admission.displaced) {
      server.breaker.withdraw_probe();
      return {Entry::kFull, {}};
    }
    leave(*admission.displaced);
  }
  if (!was_closed) server.probe = ticket;
  wait(ticket, place, server);
  return admission;
}

std::uint64_t HookQueue::newest_of(const Vhost& vhost) {
  return *vhost.sources.at(vhost.by_waiting.rbegin()->second).waiting.rbegin();
}

std::optional<std::uint64_t> HookQueue::victim(const HookPlace& newcomer) const {
  const auto& vhosts = servers_.at(newcomer.server).vhosts;
  const auto own = vhosts.find(newcomer.vhost);
  const std::size_t of_vhost = own == vhosts.end() ? 0 : own->second.waiting;
  const auto& [most, name] = *by_waiting_.rbegin();
  if (most > of_vhost + 1) return newest_of(servers_.at(name.first).vhosts.at(name.second));
  if (of_vhost == 0) return std::nullopt;
  const auto source = own->second.sources.find(newcomer.source);
  const std::size_t of_source =
      source == own->second.sources.end() ? 0 : source->second.waiting.size();
  if (own->second.by_waiting.rbegin()->first <= of_source + 1) return std::nullopt;
  return newest_of(own->second);
}

void HookQueue::wait(std::uint64_t ticket, const HookPlace& place, Server& server) {
  places_.emplace(ticket, place);
  Vhost& vhost = server.vhosts[place.vhost];
  Source& source = vhost.sources[place.source];
  move_in_order(by_waiting_, VhostName(place.server, place.vhost), vhost.waiting,
                vhost.waiting + 1);
  move_in_order(vhost.by_waiting, place.source, source.waiting.size(), source.waiting.size() + 1);
  source.waiting.insert(source.waiting.end(), ticket);
  ++vhost.waiting;
  ++waiting_;
  if (server.waiting++ == 0) waiting_servers_.insert({place.server, &server});
}

/// It stays among the places, and its source, vhost and server where they are.
void HookQueue::wait_no_more(std::uint64_t ticket, const HookPlace& place, Server& server) {
  Vhost& vhost = server.vhosts.at(place.vhost);
  Source& source = vhost.sources.at(place.source);
  move_in_order(by_waiting_, VhostName(place.server, place.vhost), vhost.waiting,
                vhost.waiting - 1);
  move_in_order(vhost.by_waiting, place.source, source.waiting.size(), source.waiting.size() - 1);
  source.waiting.erase(ticket);
  --vhost.waiting;
  --waiting_;
  if (--server.waiting == 0) waiting_servers_.erase(place.server);
}

void HookQueue::drop_if_idle(Server& server, const HookPlace& place) {
  const auto vhost = server.vhosts.find(place.vhost);
  const auto source = vhost->second.sources.find(place.source);
  if (source->second.under_way > 0 || !source->second.waiting.empty()) return;
  vhost->second.sources.erase(source);
  if (vhost->second.sources.empty()) server.vhosts.erase(vhost);
}

void HookQueue::leave(std::uint64_t ticket) {
  const auto found = places_.find(ticket);
  if (found == places_.end()) return;
  const HookPlace& place = found->second;
  Server& server = servers_.at(place.server);
  if (!server.vhosts.at(place.vhost).sources.at(place.source).waiting.contains(ticket)) return;
  wait_no_more(ticket, place, server);
  drop_if_idle(server, place);
  if (server.probe == ticket) {
    server.probe.reset();
    server.breaker.withdraw_probe();
  }
  places_.erase(found);
}

/// Whoever is passed over on the way has requests under way, of which there are few.
std::optional<std::uint64_t> HookQueue::next() {
  if (waiting_ == 0 || under_way_ >= kMaxUnderWay) return std::nullopt;
  std::optional<std::uint64_t> ticket;
  take_turns(waiting_servers_, last_, [&](const std::string& name, Server* server) {
    if (!server_has_place(*server)) return false;
    ticket = next_of(name, *server);
    return ticket.has_value();
  });
  return ticket;
}

std::optional<std::uint64_t> HookQueue::next_of(const std::string& name, Server& server) {
  std::optional<std::uint64_t> ticket;
  take_turns(server.vhosts, server.last, [&](const std::string& vhost_name, Vhost& vhost) {
    if (vhost.waiting == 0 || !vhost_has_place(server, vhost)) return false;
    return take_turns(vhost.sources, vhost.last, [&](const std::string& of, Source& source) {
      if (source.waiting.empty() || !source_has_place(vhost, source)) return false;
      ticket = *source.waiting.begin();
      wait_no_more(*ticket, {name, vhost_name, of}, server);
      ++source.under_way;
      ++vhost.under_way;
      return true;
    });
  });
  if (!ticket) return ticket;
  ++server.under_way;
  ++under_way_;
  return ticket;
}

HookQueue::News HookQueue::finish(std::uint64_t ticket, Outcome outcome, TimePoint now) {
  const auto node = places_.extract(ticket);
  const HookPlace& place = node.mapped();
  Server& server = servers_.at(place.server);
  Vhost& vhost = server.vhosts.at(place.vhost);
  --vhost.sources.at(place.source).under_way;
  --vhost.under_way;
  --server.under_way;
  --under_way_;
  drop_if_idle(server, place);
  const bool was_probe = server.probe == ticket;
  if (was_probe) server.probe.reset();
  News news;
  switch (outcome) {
    case Outcome::kAnswered:
      server.answered_at = now;
      news.closed = server.breaker.answered();
      break;
    case Outcome::kFailed:
      news.opened = server.breaker.failed(now);
      if (server.breaker.state() == CircuitBreaker::State::kOpen) {
        news.given_up = give_up(server);
      }
      break;
    case Outcome::kNotSent:
      if (was_probe) server.breaker.withdraw_probe();
      break;
  }
  return news;
}

std::vector<std::uint64_t> HookQueue::give_up(Server& server) {
  std::vector<std::uint64_t> tickets;
  for (const auto& [vhost_name, vhost] : server.vhosts) {
    for (const auto& [source_name, source] : vhost.sources) {
      tickets.insert(tickets.end(), source.waiting.begin(), source.waiting.end());
    }
  }
  for (const std::uint64_t ticket : tickets) leave(ticket);
  std::ranges::sort(tickets);
  return tickets;
}

bool HookQueue::server_is_mute(std::uint64_t ticket, TimePoint since) const {
  const auto place = places_.find(ticket);
  if (place == places_.end()) return false;
  const Server& server = servers_.at(place->second.server);
  return server.answered_at < since && (server.under_way > 0 || server.breaker.failures() > 0);
}

HookQueue::ServerState HookQueue::state_of(const std::string& server) const {
  const auto known = servers_.find(server);
  if (known == servers_.end()) return {};
  return {known->second.breaker, known->second.under_way, known->second.waiting};
}

}  // namespace mpb::rtmp
