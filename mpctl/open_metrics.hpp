// Writes metrics in the text format of OpenMetrics 1.0
// (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mpb::ctl {

struct MetricLabel {
  std::string_view name;
  std::string value;  // of any bytes; UTF-8, if readers are to take it
};

enum class MetricType : std::uint8_t { kCounter, kGauge, kInfo, kStateSet };

struct MetricFamily {
  std::string name;  // without its unit, and without what the type puts behind it
  MetricType type = MetricType::kGauge;
  std::string_view unit;  // a base unit; or empty
  std::string_view help;
};

class OpenMetrics {
 public:
  /// What the samples that follow belong to. One without samples leaves nothing.
  void begin(MetricFamily family);
  void add(std::span<const MetricLabel> labels, double value);
  /// The whole text.
  [[nodiscard]] std::string finish() const { return text_ + "# EOF\n"; }

 private:
  void write_head();

  MetricFamily family_;
  std::string sample_;  // the name of its samples
  bool head_written_ = true;
  std::string text_;
};

}  // namespace mpb::ctl
