// A run's result, for people and for scripts.
#pragma once

#include <cstdint>
#include <string>

#include "bench/load/report_parts.hpp"
#include "bench/mpclient/settings.hpp"
#include "bench/mpclient/tally.hpp"

namespace mpb::load {

struct Report : RunTimes {
  Settings settings;
  Tally tally;
  double seconds = 0;  // from the first start to the last client's end

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
