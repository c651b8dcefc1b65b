// Reads OpenMetrics text as strictly as its specification is written.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace mpb::test {

struct MetricsRead {
  std::map<std::string, std::string> types;  // by family
  std::map<std::string, std::string> units;
  // By name and labels as they were written: `a_total{slot="0"}`.
  std::map<std::string, double> samples;
  std::map<std::string, double> counters;  // those of them that never fall
};

/// Throws when the text breaks the format.
MetricsRead read_metrics(std::string_view text);

}  // namespace mpb::test
