// Keys whose process crashed lately: how long each backs off. Pure: the caller brings the clock and
// the dice.
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

class CrashRecords {
 public:
  static constexpr std::size_t kMost = 10'000;  // keys; one beyond them does not back off

  explicit CrashRecords(RestartRules rules = {}) : rules_(rules) {}

  /// A process of this key has crashed. How long its next one has to wait.
  Duration note(const std::string& name, const WorkerExit& exit, TimePoint now,
                std::mt19937_64& random);
  [[nodiscard]] bool backs_off(const std::string& name, TimePoint now) const;
  /// Forgets those that have not crashed again for the settled time. Call it now and then.
  void forget_settled(TimePoint now);
  [[nodiscard]] std::size_t size() const { return records_.size(); }

  /// Calls `visit(std::string_view name, std::uint32_t failures, Duration left)` for each that
  /// backs off.
  template <class F>
  void for_each_backing_off(TimePoint now, F&& visit) const {
    for (const auto& [name, record] : records_) {
      if (now >= record.until) continue;
      visit(std::string_view(name), record.policy.failures(),
            std::chrono::ceil<Duration>(record.until - now));
    }
  }

 private:
  struct Record {
    RestartPolicy policy;
    TimePoint until{};  // it backs off
  };

  RestartRules rules_;
  KeyedMap<std::string, Record> records_;
};

}  // namespace mpb
