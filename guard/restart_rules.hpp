// Whether and when a process that has ended is started again.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace mpb::guard {

class RestartRules {
 public:
  /// It has given something to be kept: it is started again if it is killed.
  void on_kept() { has_kept_ = true; }
  /// READY=1: from now on it is started again also if it fails.
  void on_ready(std::int64_t now_ms) {
    if (!ready_since_) ready_since_ = now_ms;
    was_ready_ = true;
  }

  /// `status` as waitpid(2) has it. The milliseconds until the next start; none: the service ends.
  /// `stopping`: the next one would only be told to stop.
  std::optional<std::int64_t> on_end(int status, std::int64_t now_ms, bool stopping = false) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
    if (WIFEXITED(status) && stopping && !ready_since_) return std::nullopt;
    if (!was_ready_ && !(has_kept_ && WIFSIGNALED(status))) return std::nullopt;
    const bool was_well = ready_since_ && now_ms - *ready_since_ >= kWell;
    ready_since_.reset();
    ends_ = was_well ? 0 : ends_ + 1;
    if (ends_ < kAtOnce) return 0;
    return std::min(kLongest, kShortest << std::min(ends_ - kAtOnce, kDoublings));
  }

 private:
  static constexpr std::int64_t kWell = 50;  // ms of being ready: it did its work
  static constexpr int kAtOnce = 2;          // ends in a row without a delay
  static constexpr std::int64_t kShortest = 25;
  static constexpr std::int64_t kLongest = 500;
  static constexpr int kDoublings = 8;

  bool has_kept_ = false;
  bool was_ready_ = false;
  std::optional<std::int64_t> ready_since_;  // of the process that runs
  int ends_ = 0;                             // in a row, before it was well
};

}  // namespace mpb::guard
