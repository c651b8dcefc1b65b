// Pieces of the load clients' reports, for people and for scripts.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "bench/load/histogram.hpp"

namespace mpb::load {

using Buffer = fmt::memory_buffer;

template <class... Args>
void add(Buffer& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

/// 0 when `seconds` is.
double per_second(std::uint64_t count, double seconds);

/// How long a run took, and what ended it.
struct RunTimes {
  double wall_seconds = 0;         // from the start to the end of all threads
  double cpu_seconds = 0;          // the load client's own in that time, user and system
  double first_wave_seconds = 0;   // of clients that are held: until all were served; 0: never
  double second_wave_seconds = 0;  // the same after their move
  bool interrupted = false;        // by a signal
};

/// What the load client itself used.
struct OwnLoad {
  double cpu_seconds = 0;   // user and system
  double wall_seconds = 0;  // the time in which it used them
  unsigned threads = 1;

  /// Of what its threads could have used, in percent.
  [[nodiscard]] double busy_percent() const;
  /// The load client may have been slower than what it measured.
  [[nodiscard]] bool is_bottleneck() const;
};

/// The heading of a table of latencies, whose names take `width` columns.
void add_latency_heading(Buffer& out, int width);
/// Its line for `histogram`; nothing for an empty one.
void add_latency(Buffer& out, int width, std::string_view name, const Histogram& histogram);
void add_own_load(Buffer& out, std::string_view program, const OwnLoad& load,
                  std::string_view advice);

/// Microseconds with one decimal.
boost::json::object latency_object(const Histogram& histogram);
boost::json::object own_load_object(const OwnLoad& load);
boost::json::array text_array(const std::vector<std::string>& texts);

}  // namespace mpb::load
