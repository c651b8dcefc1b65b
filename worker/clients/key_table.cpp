#include "worker/clients/key_table.hpp"

#include <cstring>
#include <iterator>

namespace mpb {
namespace {

void write_name(std::string& name, std::uint16_t space, std::string_view key) {
  name.resize(sizeof space);
  std::memcpy(name.data(), &space, sizeof space);
  name += key;
}

}  // namespace

KeyState* KeyTable::find(std::uint16_t space, std::string_view key) {
  write_name(probe_, space, key);
  const auto found = keys_.find(probe_);
  return found == keys_.end() ? nullptr : &found->second;
}

KeyState& KeyTable::find_or_make(std::uint16_t space, std::string_view key) {
  write_name(probe_, space, key);
  const auto [place, inserted] = keys_.try_emplace(probe_);
  if (inserted) {
    place->second.space = space;
    place->second.key = std::string_view(place->first).substr(sizeof space);
  }
  return place->second;
}

KeyState* KeyTable::owned(std::uint16_t space, std::string_view key) {
  KeyState* state = find(space, key);
  return state != nullptr && state->epoch != 0 ? state : nullptr;
}

void KeyTable::set_epoch(KeyState& state, std::uint32_t epoch) {
  if (state.epoch == 0 && epoch != 0) ++owned_count_;
  if (state.epoch != 0 && epoch == 0) --owned_count_;
  state.epoch = epoch;
}

KeyState& KeyTable::enter(std::uint16_t space, std::string_view key, std::uint32_t epoch) {
  KeyState& state = find_or_make(space, key);
  if (epoch != 0) set_epoch(state, epoch);
  ++state.clients;
  DeadlineList<KeyState>::stop(state);
  return state;
}

void KeyTable::rest(KeyState& state, TimePoint now) {
  if (state.clients != 0) return;
  if (state.epoch != 0) {
    idle_.restart(state, now);
  } else {
    erase(state);
  }
}

void KeyTable::leave(KeyState& state, TimePoint now) {
  --state.clients;
  rest(state, now);
}

void KeyTable::own(std::uint16_t space, std::string_view key, std::uint32_t epoch, TimePoint now) {
  KeyState& state = find_or_make(space, key);
  set_epoch(state, epoch);
  rest(state, now);
}

void KeyTable::disown(std::uint16_t space, std::string_view key, std::uint32_t epoch) {
  KeyState* state = find(space, key);
  if (state == nullptr || state->epoch != epoch) return;
  set_epoch(*state, 0);
  if (state->clients == 0) erase(*state);
}

void KeyTable::disown_all() {
  for (auto entry = keys_.begin(); entry != keys_.end();) {
    KeyState& state = entry->second;
    set_epoch(state, 0);
    entry = state.clients == 0 ? keys_.erase(entry) : std::next(entry);
  }
}

void KeyTable::erase(KeyState& state) {
  set_epoch(state, 0);
  write_name(probe_, state.space, state.key);
  keys_.erase(probe_);
}

}  // namespace mpb
