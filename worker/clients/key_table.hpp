// The keys a worker has clients of, and which of them it owns. Pure: no I/O.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/keyed_map.hpp"
#include "common/io/deadline_list.hpp"

namespace mpb {

/// A key in this worker. Lives as long as it is owned or has clients.
struct KeyState : Deadline {
  std::string_view key;  // the table's own text
  std::uint16_t space = 0;
  std::uint32_t epoch = 0;  // of the ownership; 0: another worker owns it, or nobody
  std::uint32_t clients = 0;
};

class KeyTable {
 public:
  /// `linger`: how long an owned key is kept after its last client has gone.
  explicit KeyTable(Duration linger) : idle_(at_least_one(linger)) {}
  void set_linger(Duration linger) { idle_.set_wait(at_least_one(linger)); }

  /// The key, if this worker owns it; else null.
  KeyState* owned(std::uint16_t space, std::string_view key);

  /// A client of the key is here now; made if new. `epoch` 0 leaves the ownership as it is.
  KeyState& enter(std::uint16_t space, std::string_view key, std::uint32_t epoch);
  /// The client that entered is gone. Ownership outlives it by the linger time.
  void leave(KeyState& state, TimePoint now);

  /// The broker says who owns what.
  void own(std::uint16_t space, std::string_view key, std::uint32_t epoch, TimePoint now);
  void disown(std::uint16_t space, std::string_view key, std::uint32_t epoch);

  /// Owns nothing any more; clients stay.
  void disown_all();

  /// Gives up the keys that were idle for the linger time: calls `released(const KeyState&)` for
  /// each, which is no longer owned afterwards.
  template <class F>
  void expire(TimePoint now, F&& released) {
    idle_.expire(now, [&](KeyState& state) {
      released(static_cast<const KeyState&>(state));
      erase(state);
    });
  }
  [[nodiscard]] std::optional<TimePoint> next_expiry() const { return idle_.next(); }

  [[nodiscard]] std::size_t owned_count() const { return owned_count_; }
  /// Calls `visit(const KeyState&)` for every owned key.
  template <class F>
  void for_each_owned(F&& visit) const {
    for (const auto& [name, state] : keys_) {
      if (state.epoch != 0) visit(state);
    }
  }

 private:
  // A DeadlineList takes 0 for "never"; here it means "as soon as possible".
  static Duration at_least_one(Duration linger) { return std::max(linger, Duration{1}); }

  KeyState& find_or_make(std::uint16_t space, std::string_view key);
  KeyState* find(std::uint16_t space, std::string_view key);
  void set_epoch(KeyState& state, std::uint32_t epoch);
  void rest(KeyState& state, TimePoint now);
  void erase(KeyState& state);

  KeyedMap<std::string, KeyState> keys_;  // by space (2 bytes) and key
  std::string probe_;                     // reused for look-ups
  DeadlineList<KeyState> idle_;
  std::size_t owned_count_ = 0;
};

}  // namespace mpb
