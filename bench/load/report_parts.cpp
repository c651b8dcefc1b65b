#include "bench/load/report_parts.hpp"

#include <cmath>

namespace mpb::load {
namespace {

constexpr double kBottleneckPercent = 80;
// A shorter run says nothing: its start alone keeps the load client busy.
constexpr double kLongEnoughSeconds = 0.1;

double microseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

double rounded_microseconds(double nanoseconds) {
  return std::round(nanoseconds / 100) / 10;
}

}  // namespace

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double OwnLoad::busy_percent() const {
  return wall_seconds > 0 ? 100 * cpu_seconds / wall_seconds / threads : 0;
}

bool OwnLoad::is_bottleneck() const {
  return wall_seconds >= kLongEnoughSeconds && busy_percent() > kBottleneckPercent;
}

void add_latency_heading(Buffer& out, int width) {
  add(out, "  {:<{}}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}\n", "", width, "p50", "p90", "p99",
      "p99.9", "max", "count");
}

void add_latency(Buffer& out, int width, std::string_view name, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  add(out, "  {:<{}}{:>10.0f}{:>10.0f}{:>10.0f}{:>10.0f}{:>10.0f}{:>12}\n", name, width,
      microseconds(histogram.quantile(0.5)), microseconds(histogram.quantile(0.9)),
      microseconds(histogram.quantile(0.99)), microseconds(histogram.quantile(0.999)),
      microseconds(histogram.max()), histogram.count());
}

void add_own_load(Buffer& out, std::string_view program, const OwnLoad& load,
                  std::string_view advice) {
  add(out, "{:<8}  busy {:.0f} % of {} thread{} ({:.2f} s of CPU)\n", program, load.busy_percent(),
      load.threads, load.threads == 1 ? "" : "s", load.cpu_seconds);
  if (load.is_bottleneck()) {
    add(out,
        "warning   {} was the bottleneck, or close to it: the server may be faster than this; "
        "{}\n",
        program, advice);
  }
}

boost::json::object latency_object(const Histogram& histogram) {
  const auto quantile = [&](double fraction) {
    return rounded_microseconds(static_cast<double>(histogram.quantile(fraction)));
  };
  return {{"count", histogram.count()},
          {"mean", rounded_microseconds(histogram.mean())},
          {"p50", quantile(0.5)},
          {"p90", quantile(0.9)},
          {"p99", quantile(0.99)},
          {"p99.9", quantile(0.999)},
          {"max", rounded_microseconds(static_cast<double>(histogram.max()))}};
}

boost::json::object own_load_object(const OwnLoad& load) {
  return {{"seconds", load.cpu_seconds},
          {"busy_percent", load.busy_percent()},
          {"bottleneck", load.is_bottleneck()}};
}

boost::json::array text_array(const std::vector<std::string>& texts) {
  boost::json::array array;
  for (const std::string& text : texts) array.push_back(boost::json::string(text));
  return array;
}

}  // namespace mpb::load
