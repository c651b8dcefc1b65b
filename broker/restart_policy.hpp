// When a worker that ended is started again. Pure: the caller brings the clock and the dice.
#pragma once

#include <cstdint>
#include <random>

#include "common/units.hpp"

namespace mpb {

struct RestartRules {
  Duration first{100};  // the delay after a first failure; doubles with each further one
  Duration longest{10'000};
  Duration settled{10'000};    // a worker that ran so long starts with a clean record
  std::uint32_t give_up = 10;  // failed starts in a row until the slot is parked
};

struct WorkerExit {
  bool was_ready = false;  // it had said Ready
  bool usage = false;      // exit code 2: its configuration is wrong
  Duration ran{0};
};

struct RestartDecision {
  bool park = false;
  Duration delay{0};
};

/// One for each slot.
class RestartPolicy {
 public:
  explicit RestartPolicy(RestartRules rules = {}) : rules_(rules) {}

  /// The delay has up to a quarter of jitter on top, so that slots do not restart in step.
  RestartDecision on_exit(const WorkerExit& exit, std::mt19937_64& random);
  /// The record is clean again: somebody asked for another try.
  void forgive() { failures_ = failed_starts_ = 0; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  RestartRules rules_;
  std::uint32_t failures_ = 0;       // since it last ran long enough
  std::uint32_t failed_starts_ = 0;  // in a row, without Ready
};

}  // namespace mpb
