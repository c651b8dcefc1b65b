// Logging: one logfmt line per event to standard error. Under systemd (JOURNAL_STREAM is set) a
// line begins with <N>, the syslog priority, else with its time. Nothing here waits for a reader:
// lines for which there is no room are dropped, and `log.dropped` tells how many (line_output.hpp).
// For one thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace mpb {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

/// "debug", "info", "warning", "error" or "off".
std::optional<LogLevel> parse_log_level(std::string_view text);
std::string_view to_string(LogLevel level);

/// `program` is told in each line, and so are `details`, fields that say more of the process. Until
/// called, lines at kInfo and above are written.
void init_log(std::string_view program, LogLevel level, std::string_view details = {});
void set_log_level(LogLevel level);
[[nodiscard]] bool log_enabled(LogLevel level);

/// Lines to standard error, for what is told before there is a log; what is not plain in them is
/// escaped (common/base/plain_text.hpp). A newline is added.
void tell(std::string_view text);

/// To be called now and then: tells of dropped lines as soon as that can be done.
void catch_up_log();
/// How many lines were dropped so far.
[[nodiscard]] std::uint64_t lost_log_lines();

/// Appends ` key=value`, quoted and escaped where logfmt needs it and where the value is not plain
/// (common/base/plain_text.hpp).
void append_logfmt(std::string& line, std::string_view key, std::string_view value);

/// One line, written when it goes out of scope:
///   LogLine(LogLevel::kInfo, "online")("slot", slot)("pid", pid);
class LogLine {
 public:
  LogLine(LogLevel level, std::string_view event);
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;
  ~LogLine();

  template <class T>
  LogLine& operator()(std::string_view key, const T& value) {
    if (!enabled_) return *this;
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      append(key, value);
    } else {
      append(key, fmt::to_string(value));
    }
    return *this;
  }

 private:
  /// What stands before them has room as well in LineOutput::kLongest.
  static constexpr std::size_t kMostFields = 3840;

  /// Values that would make the line too long are cut.
  void append(std::string_view key, std::string_view value);

  LogLevel level_;
  bool enabled_;
  std::string line_;
};

inline LogLine log_debug(std::string_view event) {
  return {LogLevel::kDebug, event};
}
inline LogLine log_info(std::string_view event) {
  return {LogLevel::kInfo, event};
}
inline LogLine log_warning(std::string_view event) {
  return {LogLevel::kWarning, event};
}
inline LogLine log_error(std::string_view event) {
  return {LogLevel::kError, event};
}

}  // namespace mpb
