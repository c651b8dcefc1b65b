// Keys whose process crashed lately: how long each backs off, and which are closed. Pure: the
// caller brings the clock and the dice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "broker/dispatch/restart_policy.hpp"
#include "common/base/keyed_map.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

/// When a key is closed: it backs off for long, whatever the rules of restarts say.
struct CloseRules {
  std::uint32_t failures = 0;  // so many in a row; 0: never
  Duration recovery{300'000};  // for so long; then its count begins anew
};

/// A key whose process may not be started for a while.
struct BackOff {
  Duration left{0};
  std::uint32_t failures = 0;  // in a row
  bool closed = false;
};

class CrashRecords {
 public:
  static constexpr std::size_t kMost = 10'000;  // keys; one beyond them does not back off

  explicit CrashRecords(RestartRules rules = {}) : rules_(rules) {}

  /// For crashes from now on.
  void set_close_rules(const CloseRules& rules) { close_rules_ = rules; }
  /// A process of this key has crashed: what its next one has to wait for.
  BackOff note(const std::string& name, const WorkerExit& exit, TimePoint now,
               std::mt19937_64& random);
  /// Those that are closed have another try.
  void reopen();
  [[nodiscard]] bool backs_off(const std::string& name, TimePoint now) const;
  /// Forgets those that have not crashed again for the settled time. Call it now and then.
  void forget_settled(TimePoint now);
  [[nodiscard]] std::size_t size() const { return records_.size(); }

  /// Calls `visit(std::string_view name, const BackOff&)` for each that backs off.
  template <class F>
  void for_each_backing_off(TimePoint now, F&& visit) const {
    for (const auto& [name, record] : records_) {
      if (now >= record.until) continue;
      visit(std::string_view(name), BackOff{std::chrono::ceil<Duration>(record.until - now),
                                            record.failures, record.closed});
    }
  }

 private:
  struct Record {
    RestartPolicy policy;
    TimePoint until{};           // it backs off
    std::uint32_t in_a_row = 0;  // that had the key for less than the settled time
    std::uint32_t failures = 0;  // the same, as of the last one
    bool closed = false;
  };

  RestartRules rules_;
  CloseRules close_rules_;
  KeyedMap<std::string, Record> records_;
};

}  // namespace mpb
