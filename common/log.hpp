// Logging: one logfmt line per event to standard error. Under systemd (JOURNAL_STREAM is set) a
// line begins with <N>, the syslog priority, else with its time.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mpb {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

/// "debug", "info", "warning", "error" or "off".
std::optional<LogLevel> parse_log_level(std::string_view text);
std::string_view to_string(LogLevel level);

/// `program` is told in each line. Until called, lines at kInfo and above are written.
void init_log(std::string_view program, LogLevel level);
void set_log_level(LogLevel level);
[[nodiscard]] bool log_enabled(LogLevel level);

/// Appends ` key=value`, quoted and escaped where logfmt needs it.
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
    if (enabled_) append_logfmt(line_, key, fmt::to_string(value));
    return *this;
  }

 private:
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
