// A run's result, for people and for scripts.
#pragma once

#include <string>

#include "bench/load/report_parts.hpp"
#include "bench/mprtmp/settings.hpp"
#include "bench/mprtmp/tally.hpp"

namespace mpb::rtmp_load {

struct Report {
  Settings settings;
  Tally tally;
  double seconds = 0;         // of the whole run
  double window_seconds = 0;  // from when all clients were served to the end; 0: that never was
  load::OwnLoad own_load;
  bool interrupted = false;

  /// Of --churn: served players.
  [[nodiscard]] double sessions_per_second() const;
  /// In the window, else in the whole run.
  [[nodiscard]] double bits_sent_per_second() const;
  [[nodiscard]] double bits_received_per_second() const;
  /// No client was lost or got another's stream. Lost frames do not count here.
  [[nodiscard]] bool passed() const;
};

/// Several lines, with a newline at the end of each.
std::string text_report(const Report& report);
/// One JSON object and a newline; its keys are in mprtmp(1).
std::string json_report(const Report& report);

}  // namespace mpb::rtmp_load
