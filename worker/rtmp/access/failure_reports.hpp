// Which failures are told one by one, and which are only counted. Pure: it is given the time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"

namespace mpb::rtmp {

struct HookFailure {
  std::string action;
  std::string why;
  bool let_in = false;  // the client; else it was refused
};

/// Each URL has a line for its first failure, and then one for all that came since, no more often
/// than once in `interval`. Beyond `max_urls` they share one.
class FailureReports {
 public:
  struct Line {
    std::string url;
    HookFailure failure;           // the latest
    std::uint64_t suppressed = 0;  // failures since the line before, the latest not counted
  };

  FailureReports(Duration interval, std::size_t max_urls)
      : interval_(interval), max_urls_(max_urls) {}

  /// The line to write now, if any.
  std::optional<Line> note(std::string_view url, HookFailure failure, TimePoint now);
  /// Lines about what was only counted and whose time has come.
  std::vector<Line> due(TimePoint now);
  /// There are URLs of which due() may have something to tell later.
  [[nodiscard]] bool has_more() const { return !urls_.empty(); }

 private:
  struct Url {
    TimePoint told_at{};
    std::uint64_t untold = 0;
    HookFailure latest;  // of those
  };

  Duration interval_;
  std::size_t max_urls_;
  std::map<std::string, Url, std::less<>> urls_;  // told within the last interval
};

}  // namespace mpb::rtmp
