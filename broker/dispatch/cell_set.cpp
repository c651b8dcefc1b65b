#include "broker/dispatch/cell_set.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mpb {
namespace {

constexpr Duration kClaim{2'000};   // for the first client of a key, once its cell is ready
constexpr Duration kPromise{500};   // for a client that was told to come again
constexpr Duration kMargin{1'000};  // beyond a client's wait
constexpr Duration kEnd{2'000};  // for a cell without clients: its place is not counted on longer

}  // namespace

KeyName parse_key_name(std::string_view name) {
  KeyName parsed;
  if (name.size() < sizeof parsed.space) return parsed;
  std::memcpy(&parsed.space, name.data(), sizeof parsed.space);
  parsed.key = name.substr(sizeof parsed.space);
  return parsed;
}

CellSet::Cell& CellSet::cell(Slot slot) {
  if (cells_.size() <= slot) cells_.resize(slot + 1U);
  return cells_[slot];
}

std::size_t CellSet::free_slots() const {
  const std::size_t running = workers_.running();
  return rules_.maximum > running ? rules_.maximum - running : 0;
}

/// Highest first: extra workers get the lowest ones, and shared workers stay together.
std::optional<Slot> CellSet::occupy(CellRole role) {
  if (free_slots() == 0) return std::nullopt;
  const std::size_t most = std::min<std::size_t>(rules_.maximum, workers_.size());
  for (std::size_t next = most; next > rules_.base; --next) {
    const auto slot = static_cast<Slot>(next - 1);
    if (workers_.at(slot).state != WorkerState::kStopped) continue;
    workers_.set_cell(slot, true);
    workers_.set_state(slot, WorkerState::kStarting);
    cell(slot) = Cell();
    cells_[slot].role = role;
    return slot;
  }
  return std::nullopt;
}

CellSet::Cell CellSet::forget(Slot slot) {
  const Cell known = cell(slot);
  if (known.starting) --starting_;
  if (known.unacked) --unacked_;
  if (known.idle) --idle_;
  forget_key(slot);
  remove_spare(slot);
  std::erase(queue_, slot);
  std::erase(ending_now_, slot);
  std::erase(evicted_now_, slot);
  std::erase(old_, slot);
  cells_[slot] = Cell();
  workers_.set_cell(slot, false);
  return known;
}

void CellSet::vacate(Slot slot) {
  workers_.set_state(slot, WorkerState::kStopped);
  forget(slot);
  std::erase_if(given_, [slot](const Given& given) { return given.slot == slot && given.waits; });
}

void CellSet::vacate_queue() {
  while (!queue_.empty()) vacate(queue_.front());
}

void CellSet::set_rules(const CellRules& rules) {
  rules_ = rules;
  crashes_.set_close_rules(rules.close);
  const std::deque<Slot> queued = queue_;
  for (const Slot slot : queued) {
    if (!rules.wanted || slot < rules.base || slot >= rules.maximum) vacate(slot);
  }
}

bool CellSet::hopeless(TimePoint now) const {
  return now < process_due_ || (now < starts_due_ && spare_ones_.hopeless());
}

std::size_t CellSet::places(TimePoint now) const {
  return coming_.size() + idle_ + (hopeless(now) ? 0 : free_slots());
}

void CellSet::give(Slot slot, CellRole role, const std::string& name, TimePoint now) {
  Cell& given = cell(slot);
  given.role = role;
  given.name = name;
  given.since = std::max(given.since, now);
  given.given = now;
  if (role == CellRole::kKey) {
    keys_[name] = slot;
    ++counters_.keys;
  } else {
    ++counters_.clients;
  }
  given_.push_back({slot, name, false});
}

std::vector<CellSet::Given> CellSet::take_given() {
  std::vector<Given> taken;
  std::erase_if(given_, [&taken](Given& given) {
    if (given.waits) return false;
    taken.push_back(std::move(given));
    return true;
  });
  return taken;
}

/// One that is ready, unless others have come before.
std::optional<Slot> CellSet::take_spare(bool again) {
  if (ready_.size() <= (again ? 0 : promised_)) return std::nullopt;
  if (again && promised_ > 0) --promised_;
  const Slot slot = ready_.back();
  ready_.pop_back();
  cell(slot).unacked = true;
  ++unacked_;
  ++counters_.from_spare;
  return slot;
}

CellPlace CellSet::place_key(const std::string& name, bool again, TimePoint now) {
  using Kind = CellPlace::Kind;
  if (const auto known = keys_.find(name); known != keys_.end()) {
    const Slot slot = known->second;
    cell(slot).since = now;
    return {workers_.online(slot) ? Kind::kTo : Kind::kComing, slot};
  }
  if (crashes_.backs_off(name, now)) {
    ++counters_.refused;
    return {Kind::kBackoff};
  }
  if (is_apart(name)) return place_apart(name, again, now);
  if (const auto spare = take_spare(again)) {
    give(*spare, CellRole::kKey, name, now);
    return {Kind::kTo, *spare};
  }
  if (coming_.size() > waiting_) {
    const Slot slot = coming_.front();
    coming_.erase(coming_.begin());
    give(slot, CellRole::kKey, name, now);
    return {Kind::kComing, slot};
  }
  const auto slot = hopeless(now) ? std::nullopt : occupy(CellRole::kKey);
  if (!slot) return wait_or_none(now);
  queue_for(*slot, name, now);
  return {Kind::kComing, *slot};
}

CellPlace CellSet::wait_or_none(TimePoint now) {
  if (waiting_ < places(now)) return {CellPlace::Kind::kWait};
  ++counters_.overflowed;
  return {CellPlace::Kind::kNone};
}

void CellSet::queue_for(Slot slot, const std::string& name, TimePoint now) {
  give(slot, CellRole::kKey, name, now);
  given_.back().waits = true;
  cell(slot).queued = true;
  queue_.push_back(slot);
}

CellPlace CellSet::place_client(const std::string& name, bool again, TimePoint now) {
  using Kind = CellPlace::Kind;
  if (const auto spare = take_spare(again)) {
    give(*spare, CellRole::kClient, name, now);
    return {Kind::kTo, *spare};
  }
  return wait_or_none(now);
}

void CellSet::on_route(Slot slot) {
  cell(slot).routed = true;
}

void CellSet::on_route_gone(Slot slot, bool idle) {
  if (role(slot) == CellRole::kKey) end(slot, idle);
}

void CellSet::on_taken(Slot slot) {
  if (role(slot) == CellRole::kNone) return;
  count_taken(cells_[slot]);
  spare_ones_.forgive();
}

void CellSet::count_taken(Cell& cell) {
  if (std::exchange(cell.unacked, false)) --unacked_;
}

std::size_t CellSet::unpromised() const {
  return ready_.size() - std::min(ready_.size(), promised_);
}

void CellSet::promise(TimePoint now) {
  ++promised_;
  promised_at_ = now;
}

void CellSet::forget_key(Slot slot) {
  const auto known = keys_.find(cells_[slot].name);
  if (known != keys_.end() && known->second == slot) keys_.erase(known);
}

void CellSet::remove_spare(Slot slot) {
  std::erase(ready_, slot);
  std::erase(coming_, slot);
}

void CellSet::end(Slot slot, bool idle) {
  Cell& ending = cells_[slot];
  if (std::exchange(ending.ended, true)) return;
  if (ending.role == CellRole::kSpare) remove_spare(slot);
  if (ending.role == CellRole::kKey) forget_key(slot);
  count_taken(ending);
  ending.idle = idle;
  if (idle) ++idle_;
  ending_now_.push_back(slot);
}

void CellSet::on_draining(Slot slot) {
  if (role(slot) == CellRole::kNone) return;
  Cell& draining = cells_[slot];
  if (std::exchange(draining.ended, true)) return;
  if (draining.role == CellRole::kSpare) remove_spare(slot);
  if (draining.role == CellRole::kKey) forget_key(slot);
}

std::size_t CellSet::missing_spares() const {
  if (!rules_.wanted) return 0;
  const std::size_t wanted = rules_.spares - std::min(rules_.spares, unacked_) + waiting_;
  const std::size_t have = ready_.size() + coming_.size();
  return wanted > have ? wanted - have : 0;
}

std::vector<Slot> CellSet::to_start(TimePoint now) {
  std::vector<Slot> slots;
  if (now < starts_due_ || now < process_due_) return slots;
  const auto start = [&](Slot slot) {
    cell(slot).starting = true;
    cell(slot).queued = false;
    ++starting_;
    ++counters_.started;
    for (Given& given : given_) given.waits = given.waits && given.slot != slot;
    slots.push_back(slot);
  };
  while (starting_ < rules_.at_once && !queue_.empty()) {
    start(queue_.front());
    queue_.pop_front();
  }
  while (starting_ < rules_.at_once && missing_spares() > 0) {
    const auto slot = occupy(CellRole::kSpare);
    if (!slot) break;
    coming_.push_back(*slot);
    start(*slot);
  }
  return slots;
}

void CellSet::on_start_failed(Slot slot, TimePoint now, std::mt19937_64& random) {
  process_due_ = now + processes_.on_exit({}, random).delay;
  std::erase_if(given_, [slot](const Given& given) { return given.slot == slot; });
  vacate(slot);
  vacate_queue();
}

void CellSet::on_online(Slot slot, TimePoint now) {
  if (role(slot) == CellRole::kNone) return;
  Cell& ready = cells_[slot];
  if (std::exchange(ready.starting, false)) --starting_;
  ready.since = now;
  if (ready.online == TimePoint{}) ready.online = now;
  processes_.forgive();
  process_due_ = {};
  if (ready.role != CellRole::kSpare || ready.ended) return;
  std::erase(coming_, slot);
  ready_.push_back(slot);
}

std::optional<BackOff> CellSet::on_gone(Slot slot, const Gone& gone, TimePoint now,
                                        std::mt19937_64& random) {
  const Cell ended = forget(slot);
  if (ended.role == CellRole::kNone) return std::nullopt;
  process_due_ = {};  // what it had the system may give another
  auto backs_off = gone.as_told ? std::nullopt : note_crash(ended, gone, now, random);
  if (!ended.heir.empty()) inherit(slot, ended.heir, now);
  return backs_off;
}

std::optional<BackOff> CellSet::note_crash(const Cell& ended, const Gone& gone, TimePoint now,
                                           std::mt19937_64& random) {
  ++counters_.crashed;
  if (ended.role == CellRole::kSpare) {
    starts_due_ = now + spare_ones_.on_exit({gone.was_ready, false, gone.ran}, random).delay;
    if (hopeless(now)) vacate_queue();
    return std::nullopt;
  }
  if (ended.role != CellRole::kKey) return std::nullopt;
  const auto had_key = std::chrono::duration_cast<Duration>(now - ended.given);
  return crashes_.note(ended.name, {gone.was_ready, false, had_key}, now, random);
}

void CellSet::retire_spares(TimePoint now) {
  const std::size_t wanted = rules_.wanted ? rules_.spares + waiting_ + promised_ : 0;
  const std::vector<Slot> ready = ready_;  // the oldest first
  for (const Slot slot : ready) {
    if (ready_.size() <= wanted) return;
    if (!rules_.wanted || now - cells_[slot].since >= rules_.linger) end(slot, true);
  }
}

void CellSet::tick(TimePoint now) {
  crashes_.forget_settled(now);
  if (now - promised_at_ >= kPromise) promised_ = 0;
  retire_spares(now);
  old_.clear();
  if (keys_.empty() && idle_ == 0) return;
  for (Slot slot = 0; slot < cells_.size(); ++slot) {
    Cell& one = cells_[slot];
    if (one.idle && !one.idle_since) one.idle_since = now;
    if (one.idle && now - *one.idle_since >= kEnd) {
      one.idle = false;
      --idle_;
    }
    if (one.role != CellRole::kKey || one.ended) continue;
    if (one.routed) {
      if (is_old(one, now)) old_.push_back(slot);
      continue;
    }
    const Duration asked = std::chrono::duration_cast<Duration>(now - one.since);
    if (one.queued && asked >= rules_.client_wait + kMargin) {
      vacate(slot);
    } else if (workers_.online(slot) && asked >= kClaim) {
      end(slot, true);
    }
  }
}

void CellSet::resume(Slot slot, CellRole role, const std::string& name, bool ended,
                     TimePoint started, TimePoint now) {
  workers_.set_cell(slot, true);
  Cell& resumed = cell(slot) = Cell();
  resumed.role = role;
  resumed.name = name;
  resumed.ended = ended;
  resumed.since = resumed.given = now;
  resumed.online = started;
  resumed.starting = true;
  ++starting_;
  if (ended) return;
  if (role == CellRole::kSpare) coming_.push_back(slot);
  if (role == CellRole::kKey) keys_[name] = slot;
}

void CellSet::on_claim(Slot slot, const std::string& name, TimePoint now) {
  Cell& cell = cells_[slot];
  if (cell.role == CellRole::kSpare && !cell.ended) {
    remove_spare(slot);
    cell.role = CellRole::kKey;
    cell.name = name;
    cell.since = cell.given = now;
    keys_[name] = slot;
  }
  cell.routed = true;
}

void CellSet::on_client(Slot slot) {
  remove_spare(slot);
  cells_[slot].role = CellRole::kClient;
  cells_[slot].ended = true;
}

CellCounters CellSet::counters() const {
  CellCounters counters = counters_;
  counters.running = workers_.cells();
  counters.spare = ready_.size();
  return counters;
}

}  // namespace mpb
