#include "mpctl/open_metrics.hpp"

#include <fmt/format.h>

#include <utility>

namespace mpb::ctl {
namespace {

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kInfo:
      return "info";
    case MetricType::kStateSet:
      return "stateset";
  }
  return "unknown";
}

std::string_view suffix_of(MetricType type) {
  if (type == MetricType::kCounter) return "_total";
  return type == MetricType::kInfo ? "_info" : "";
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\n') {
      safe += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') safe += '\\';
    safe += c;
  }
  return safe;
}

}  // namespace

void OpenMetrics::begin(MetricFamily family) {
  family_ = std::move(family);
  if (!family_.unit.empty()) family_.name.append("_").append(family_.unit);
  sample_ = family_.name + std::string(suffix_of(family_.type));
  head_written_ = false;
}

void OpenMetrics::write_head() {
  if (std::exchange(head_written_, true)) return;
  text_ += fmt::format("# TYPE {} {}\n", family_.name, name_of(family_.type));
  if (!family_.unit.empty()) text_ += fmt::format("# UNIT {} {}\n", family_.name, family_.unit);
  if (!family_.help.empty()) {
    text_ += fmt::format("# HELP {} {}\n", family_.name, escaped(family_.help));
  }
}

void OpenMetrics::add(std::span<const MetricLabel> labels, double value) {
  write_head();
  std::string list;
  for (const MetricLabel& label : labels) {
    list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", label.name, escaped(label.value));
  }
  text_ += sample_;
  if (!list.empty()) text_ += fmt::format("{{{}}}", list);
  text_ += fmt::format(" {}\n", value);
}

}  // namespace mpb::ctl
