// A run's result, for people and for scripts.
#pragma once

#include <cstdint>
#include <string>

#include "bench/common/report_parts.hpp"
#include "bench/mpclient/settings.hpp"
#include "bench/mpclient/tally.hpp"

namespace mpb::load {

struct Report {
  Settings settings;
  Tally tally;
  double seconds = 0;              // from the first start to the last client's end
  double cpu_seconds = 0;          // mpclient's own, user and system
  double wall_seconds = 0;         // the time in which it used them
  double first_wave_seconds = 0;   // hold, storm: until all were answered; 0: never
  double second_wave_seconds = 0;  // storm: the same after their move
  bool interrupted = false;

  /// Served clients; with hold and storm over the time until all were answered.
  [[nodiscard]] double clients_per_second() const;
  [[nodiscard]] double messages_per_second() const;
  [[nodiscard]] OwnLoad own_load() const;
  /// No client was lost, wrongly answered or, unless allowed, refused.
  [[nodiscard]] bool passed() const;
};

/// Several lines, with a newline at the end of each.
std::string text_report(const Report& report);
/// One JSON object and a newline; its keys are in mpclient(1).
std::string json_report(const Report& report);

}  // namespace mpb::load
