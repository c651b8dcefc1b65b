#include "broker/dispatch/router.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace mpb {
namespace {

constexpr std::string_view kEveryKey = "*";

constexpr std::size_t kBytesPerUnit = 128;  // of a key's name
constexpr std::size_t kLeastShare = 8;      // keys: of a table that is smaller there are no shares

void write_name(std::string& name, std::uint16_t space, std::string_view key) {
  name.resize(sizeof space);
  std::memcpy(name.data(), &space, sizeof space);
  name += key;
}

std::uint16_t space_of(const std::string& name) {
  std::uint16_t space = 0;
  std::memcpy(&space, name.data(), sizeof space);
  return space;
}

/// FNV-1a and the finaliser of MurmurHash3: the same on every machine, so that a key keeps its
/// slot across restarts.
std::uint64_t rendezvous_weight(std::string_view key, Slot slot) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ slot;
  for (const char c : key) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  hash = (hash ^ slot) * 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 33);
}

bool contains(const std::vector<Slot>& slots, Slot slot) {
  return std::find(slots.begin(), slots.end(), slot) != slots.end();
}

}  // namespace

const std::vector<Slot>* Router::pinned(const std::string& name, std::uint16_t space) const {
  if (!pins_.empty()) {
    const auto pin = pins_.find(name);
    if (pin != pins_.end()) return &pin->second;
  }
  if (default_pins_.empty()) return nullptr;
  const auto every = default_pins_.find(space);
  return every == default_pins_.end() ? nullptr : &every->second;
}

RouteDecision Router::decide(const RouteRequest& request) {
  using Kind = RouteDecision::Kind;
  write_name(name_, request.rules->space, request.key);
  const std::vector<Slot>* allowed =
      request.key.empty() ? nullptr : pinned(name_, request.rules->space);
  const Isolation isolate =
      cells_ != nullptr && allowed == nullptr ? request.rules->isolate : Isolation::kNo;
  if (isolate == Isolation::kClient) {
    if (const auto isolated = isolate_client(request)) return *isolated;
  }
  // As policy local has it: nobody else serves such clients better, and a cell is no candidate.
  const bool stays = request.rules->policy == Policy::kLocal && !request.rules->sticky;
  if (stays && isolate == Isolation::kNo && workers_.is_cell(request.origin)) {
    return {Kind::kTo, request.origin};
  }
  const bool owned = request.rules->sticky && !request.key.empty() && isolate != Isolation::kClient;
  if (owned) {
    const auto known = routes_.find(name_);
    if (known != routes_.end()) return to_owner(request, known->second);
    if (use_.total >= max_keys_) return {Kind::kBusy};
    if (!within_share(use_.named, request.origin, origins_)) return {Kind::kBusy};
    if (isolate == Isolation::kKey) {
      if (const auto isolated = isolate_key(request)) return *isolated;
    }
  }
  const Slot slot = choose(request, allowed, kNoSlot, owned);
  if (slot == kNoSlot && owned && choose(request, allowed, kNoSlot) != kNoSlot) {
    return {Kind::kBusy};  // there is room, but for no further key
  }
  if (slot == kNoSlot) return without_room(request, allowed);
  if (!workers_.has_credit(slot)) return {Kind::kWait, slot};
  if (!owned) return {Kind::kTo, slot};
  return {Kind::kTo, slot, &make_route(slot, request.origin)};
}

std::optional<RouteDecision> Router::isolate_key(const RouteRequest& request) {
  using Kind = RouteDecision::Kind;
  const CellPlace place = cells_->place_key(name_, request.again, request.now);
  const bool ready = place.kind == CellPlace::Kind::kTo && workers_.has_room(place.slot) &&
                     workers_.has_credit(place.slot);
  switch (place.kind) {
    case CellPlace::Kind::kTo:
      if (!ready) break;
      cells_->on_route(place.slot);
      return RouteDecision{Kind::kTo, place.slot, &make_route(place.slot, request.origin)};
    case CellPlace::Kind::kComing:
    case CellPlace::Kind::kWait:
      break;
    case CellPlace::Kind::kBackoff:
      return RouteDecision{Kind::kBusy};
    case CellPlace::Kind::kNone:
      if (!place.apart && request.rules->isolate_overflow == IsolateOverflow::kShare) {
        return std::nullopt;
      }
      return RouteDecision{Kind::kBusy};
  }
  const bool for_cell = place.kind != CellPlace::Kind::kTo;  // else for its credit
  return RouteDecision{Kind::kWait, place.slot, nullptr, {}, for_cell};
}

/// One that moves stays in the process that is its own.
std::optional<RouteDecision> Router::isolate_client(const RouteRequest& request) {
  using Kind = RouteDecision::Kind;
  if (cells_->role(request.origin) == CellRole::kClient) {
    return RouteDecision{Kind::kTo, request.origin};
  }
  const CellPlace place = cells_->place_client(name_, request.again, request.now);
  if (place.kind == CellPlace::Kind::kTo) return RouteDecision{Kind::kTo, place.slot};
  if (place.kind == CellPlace::Kind::kWait) {
    return RouteDecision{Kind::kWait, kNoSlot, nullptr, {}, true};
  }
  if (request.rules->isolate_overflow == IsolateOverflow::kShare) return std::nullopt;
  return RouteDecision{Kind::kBusy};
}

void Router::count(const Route& route, bool here) {
  const std::size_t cost = 1 + route.name->size() / kBytesPerUnit;
  const auto change = [here, cost](std::size_t& sum) { sum = here ? sum + cost : sum - cost; };
  const Slot last = std::max(route.owner, route.origin);
  if (use_.owned.size() <= last) use_.owned.resize(last + 1U);
  if (use_.named.size() <= last) use_.named.resize(last + 1U);
  change(use_.total);
  change(use_.owned[route.owner]);
  change(use_.named[route.origin]);
}

bool Router::within_share(const std::vector<std::size_t>& used, Slot slot,
                          std::size_t sharers) const {
  if (use_.total < max_keys_ / 2) return true;
  const std::size_t running = workers_.running() - workers_.cells();
  const std::size_t share = max_keys_ / std::max<std::size_t>(std::min(running, sharers), 1);
  return share < kLeastShare || slot >= used.size() || used[slot] < share;
}

Router::Routes::iterator Router::erase(Routes::iterator route) {
  if (cells_ != nullptr) cells_->on_route_gone(route->second.owner, true);
  count(route->second, false);
  return routes_.erase(route);
}

Route& Router::make_route(Slot owner, Slot origin) {
  const auto place = routes_.try_emplace(name_).first;
  Route& route = place->second;
  route.owner = owner;
  route.origin = origin;
  route.epoch = next_epoch_++;
  if (seal_) {
    route.epoch = seal_->epoch({owner, workers_.at(owner).incarnation}, name_, route.epoch);
  }
  route.name = &place->first;
  if (of_owners_.size() <= owner) of_owners_.resize(owner + 1U);
  of_owners_[owner].push_back(route);
  count(route, true);
  if (next_epoch_ == 0) next_epoch_ = 1;
  return route;
}

Router::Claim Router::claim(Slot slot, std::uint16_t space, std::string_view key,
                            std::uint32_t epoch, TimePoint now) {
  write_name(name_, space, key);
  if (!seal_ || !seal_->is_epoch({slot, workers_.at(slot).incarnation}, name_, epoch)) {
    return Claim::kForged;
  }
  const std::vector<Slot>* allowed = pinned(name_, space);
  const bool barred = allowed != nullptr && !contains(*allowed, slot);
  const auto there = routes_.find(name_);
  if (there != routes_.end() && there->second.owner == slot) return Claim::kRight;  // told twice
  if (barred || use_.total >= max_keys_ || there != routes_.end()) return Claim::kDenied;
  Route& route = make_route(slot, slot);
  route.epoch = epoch;
  route.held = true;
  if (cells_ != nullptr && cells_->role(slot) != CellRole::kNone)
    cells_->on_claim(slot, name_, now);
  return Claim::kRight;
}

/// A pinned worker that is coming is awaited; one that is full, or stays down, may be relieved by
/// the others.
RouteDecision Router::without_room(const RouteRequest& request, const std::vector<Slot>* allowed) {
  using Kind = RouteDecision::Kind;
  if (allowed == nullptr) return {Kind::kWait};
  const auto is_online = [this](Slot slot) {
    return workers_.online(slot) && !workers_.is_cell(slot);
  };
  if (std::none_of(allowed->begin(), allowed->end(), is_online)) {
    for (const Slot slot : *allowed) {
      if (workers_.coming(slot) && !workers_.is_cell(slot)) return {Kind::kWait, slot};
    }
  }
  if (request.rules->overflow == Overflow::kSpill) return spill(request, kNoSlot);
  if (std::none_of(allowed->begin(), allowed->end(), is_online)) return {Kind::kBusy};
  return {Kind::kFull, kNoSlot, nullptr, *allowed};
}

RouteDecision Router::to_owner(const RouteRequest& request, Route& route) {
  using Kind = RouteDecision::Kind;
  const Slot owner = route.owner;
  if (workers_.coming(owner)) return {Kind::kWait, owner};  // it is ending; the key is free then
  if (!has_room(request, owner)) {
    const bool apart = workers_.is_cell(owner) && cells_ != nullptr && cells_->is_apart(name_);
    if (request.rules->overflow == Overflow::kSpill && !apart) return spill(request, owner);
    full_owner_ = owner;
    return {Kind::kFull, kNoSlot, nullptr, {&full_owner_, 1}};
  }
  if (!workers_.has_credit(owner)) return {Kind::kWait, owner};
  return {Kind::kTo, owner, &route};
}

RouteDecision Router::spill(const RouteRequest& request, Slot full_owner) {
  using Kind = RouteDecision::Kind;
  const Slot slot = choose(request, nullptr, full_owner);
  if (slot == kNoSlot || !workers_.has_credit(slot)) return {Kind::kWait, slot};
  return {Kind::kTo, slot};
}

bool Router::has_room(const RouteRequest& request, Slot slot) const {
  const bool serves_it = request.counted && slot == request.origin && workers_.online(slot);
  return serves_it || workers_.has_room(slot);
}

Slot Router::choose(const RouteRequest& request, const std::vector<Slot>* allowed, Slot except,
                    bool own) {
  candidates_.clear();
  const auto consider = [&](Slot slot) {
    const bool has_key = !own || within_share(use_.owned, slot, SIZE_MAX);
    const bool possible = slot != except && !workers_.is_cell(slot) && has_key;
    if (possible && has_room(request, slot)) candidates_.push_back(slot);
  };
  if (allowed != nullptr) {
    for (const Slot slot : *allowed) consider(slot);
  } else {
    for (Slot slot = 0; slot < workers_.shared_end(); ++slot) consider(slot);
  }
  if (candidates_.empty()) return kNoSlot;
  if (request.key.empty()) return choose_least(candidates_, request.origin);
  switch (request.rules->policy) {
    case Policy::kHash:
      return choose_hash(candidates_, request.key);
    case Policy::kP2c:
      return choose_p2c(candidates_, request.origin);
    case Policy::kLocal:
      if (contains(candidates_, request.origin)) return request.origin;
      break;
    case Policy::kLeast:
      break;
  }
  return choose_least(candidates_, request.origin);
}

/// Among equals the origin, which saves the move; then the first.
Slot Router::choose_least(const std::vector<Slot>& candidates, Slot origin) const {
  const Fleet fleet = workers_.fleet();
  Slot best = candidates.front();
  std::uint64_t least = workers_.likely_load(best, fleet);
  for (const Slot slot : candidates) {
    const std::uint64_t load = workers_.likely_load(slot, fleet);
    if (load > least || (load == least && slot != origin)) continue;
    best = slot;
    least = load;
  }
  return best;
}

Slot Router::choose_hash(const std::vector<Slot>& candidates, std::string_view key) const {
  return *std::max_element(candidates.begin(), candidates.end(), [key](Slot a, Slot b) {
    return rendezvous_weight(key, a) < rendezvous_weight(key, b);
  });
}

Slot Router::choose_p2c(const std::vector<Slot>& candidates, Slot origin) {
  if (candidates.size() == 1) return candidates.front();
  const std::size_t first = random_() % candidates.size();
  const std::size_t second = (first + 1 + random_() % (candidates.size() - 1)) % candidates.size();
  return choose_least({candidates[first], candidates[second]}, origin);
}

bool Router::release(Slot slot, std::uint16_t space, std::string_view key, std::uint32_t epoch) {
  write_name(name_, space, key);
  const auto route = routes_.find(name_);
  if (route == routes_.end() || route->second.owner != slot || route->second.epoch != epoch) {
    return false;
  }
  route->second.held = false;
  if (route->second.in_flight == 0) erase(route);
  return true;
}

void Router::not_taken(Route& route) {
  if (route.in_flight != 0 || route.held) return;
  const auto current = routes_.find(*route.name);
  if (current != routes_.end() && &current->second == &route) erase(current);
}

void Router::forget_owner(Slot slot) {
  if (slot < of_owners_.size()) {
    while (!of_owners_[slot].empty()) erase(routes_.find(*of_owners_[slot].front().name));
  }
  std::erase_if(revoked_, [slot](const auto& node) { return node.mapped().owner == slot; });
}

std::vector<Disowned> Router::pin(std::uint16_t space, const std::string& key,
                                  std::vector<Slot> slots) {
  std::erase_if(revoked_, [](const auto& node) { return node.mapped().in_flight == 0; });
  std::vector<Disowned> losers;
  if (key == kEveryKey) {
    default_pins_.erase(space);
    if (slots.empty()) return losers;
    default_pins_[space] = std::move(slots);
    for (auto route = routes_.begin(); route != routes_.end();) {
      route = space_of(route->first) == space ? check_pins(route, losers) : std::next(route);
    }
    return losers;
  }
  write_name(name_, space, key);
  pins_.erase(name_);
  if (!slots.empty()) pins_[name_] = std::move(slots);
  const auto route = routes_.find(name_);
  if (route != routes_.end()) check_pins(route, losers);
  return losers;
}

Router::Routes::iterator Router::check_pins(Routes::iterator route, std::vector<Disowned>& losers) {
  const std::uint16_t space = space_of(route->first);
  const std::vector<Slot>* allowed = pinned(route->first, space);
  const auto next = std::next(route);
  if (allowed == nullptr || contains(*allowed, route->second.owner)) return next;
  losers.push_back(
      {route->second.owner, space, route->second.epoch, route->first.substr(sizeof space)});
  if (cells_ != nullptr) cells_->on_route_gone(route->second.owner, false);
  // Whoever counts the clients on their way goes on doing so.
  route->second.unlink();
  count(route->second, false);
  auto node = routes_.extract(route);
  if (node.mapped().in_flight != 0) revoked_.push_back(std::move(node));
  return next;
}

std::size_t Router::keys_of(Slot slot) const {
  return slot < of_owners_.size() ? of_owners_[slot].size() : 0;
}

const Route* Router::find(std::uint16_t space, std::string_view key) {
  write_name(name_, space, key);
  const auto route = routes_.find(name_);
  return route == routes_.end() ? nullptr : &route->second;
}

}  // namespace mpb
