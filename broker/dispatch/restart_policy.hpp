// When a worker that ended is started again. Pure: the caller brings the clock and the dice.
#pragma once

#include <cstdint>
#include <random>

#include "common/base/units.hpp"

namespace mpb {

struct RestartRules {
  Duration first{100};  // the delay after a first failure; doubles with each further one
  Duration longest{5'000};
  Duration settled{10'000};  // a worker that ran so long starts with a clean record
  Duration patience{2'000};  // without Ready for so long, nobody should wait for it
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

/// One for each slot. Tries for ever, whatever is missing: it may be there again the next time.
/// Only a wrong configuration stays wrong until somebody changes it.
class RestartPolicy {
 public:
  explicit RestartPolicy(RestartRules rules = {}) : rules_(rules) {}

  /// The delay has up to a quarter of jitter on top, so that slots do not restart in step.
  RestartDecision on_exit(const WorkerExit& exit, std::mt19937_64& random);
  /// The record is clean again: somebody asked for another try.
  void forgive();
  [[nodiscard]] std::uint32_t failures() const { return failures_; }
  /// It did not get ready for so long, or will not be tried for so long, that nobody should wait.
  [[nodiscard]] bool hopeless() const { return without_ready_ >= rules_.patience; }

 private:
  RestartRules rules_;
  std::uint32_t failures_ = 0;  // since it last ran long enough
  Duration without_ready_{0};   // failed starts in a row, and the delays before the next one
};

}  // namespace mpb
