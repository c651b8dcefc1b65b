#include "common/log/log.hpp"

#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

#include "common/base/plain_text.hpp"
#include "common/log/line_output.hpp"

namespace mpb {
namespace {

// In the order of LogLevel.
constexpr std::array<std::string_view, 5> kLevelNames{"debug", "info", "warning", "error", "off"};

/// syslog(3) priorities, as sd-daemon(3) prefixes them.
std::string_view priority_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    default:
      return "<3>";
  }
}

/// True when standard error is the journal's: $JOURNAL_STREAM is its "device:inode"
/// (systemd.exec(5)).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &info) == 0 &&
         fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

/// Local time with its distance from UTC.
std::string time_stamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm local{};
  ::localtime_r(&now.tv_sec, &local);
  const long minutes = local.tm_gmtoff / 60;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}{}{:02}:{:02}", local, now.tv_nsec / 1'000'000,
                     minutes < 0 ? '-' : '+', std::abs(minutes) / 60, std::abs(minutes) % 60);
}

struct Logger {
  LogLevel level = LogLevel::kInfo;
  std::string origin = "program=mpbroker";
  bool to_journal = stderr_is_journal();
  LineOutput output{STDERR_FILENO, [this](std::uint64_t lines) {
                      return compose(LogLevel::kWarning,
                                     fmt::format("event=log.dropped lines={}", lines));
                    }};

  [[nodiscard]] std::string compose(LogLevel of_line, std::string_view fields) const {
    if (to_journal) return fmt::format("{}{} {}\n", priority_prefix(of_line), origin, fields);
    return fmt::format("time={} level={} {} {}\n", time_stamp(), to_string(of_line), origin,
                       fields);
  }
};

Logger& instance() {
  static Logger logger;
  return logger;
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  while (!value.empty()) {
    const CodePoint code = first_code_point(value);
    const char c = value.front();
    if (!is_plain(code) || c == ' ' || c == '"' || c == '=' || c == '\\') return true;
    value.remove_prefix(code.size);
  }
  return false;
}

void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  while (!value.empty()) {
    const CodePoint code = first_code_point(value);
    const std::string_view bytes = value.substr(0, std::max<std::size_t>(code.size, 1));
    if (!is_plain(code)) {
      append_escaped(line, code, bytes);
    } else {
      if (bytes == "\"" || bytes == "\\") line += '\\';
      line += bytes;
    }
    value.remove_prefix(bytes.size());
  }
  line += '"';
}

/// Of UTF-8: not the first byte of a character.
bool is_within_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80;
}

}  // namespace

std::string_view to_string(LogLevel level) {
  return kLevelNames[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == text) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void init_log(std::string_view program, LogLevel level, std::string_view details) {
  Logger& log = instance();
  log.origin = fmt::format("program={}{}{}", program, details.empty() ? "" : " ", details);
  log.level = level;
}

void set_log_level(LogLevel level) {
  instance().level = level;
}

bool log_enabled(LogLevel level) {
  return level >= instance().level && level != LogLevel::kOff;
}

void tell(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    instance().output.write(plain_text(line) + '\n');
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

void catch_up_log() {
  instance().output.catch_up();
}

std::uint64_t lost_log_lines() {
  return instance().output.lost();
}

void append_logfmt(std::string& line, std::string_view key, std::string_view value) {
  if (!line.empty()) line += ' ';
  line.append(key).append(1, '=');
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  append_quoted(line, value);
}

LogLine::LogLine(LogLevel level, std::string_view event)
    : level_(level), enabled_(log_enabled(level)) {
  if (enabled_) append_logfmt(line_, "event", event);
}

LogLine::~LogLine() {
  if (enabled_) instance().output.write(instance().compose(level_, line_));
}

void LogLine::append(std::string_view key, std::string_view value) {
  const std::size_t before = line_.size();
  append_logfmt(line_, key, value);
  for (std::size_t kept = value.size() / 2; line_.size() > kMostFields; kept /= 2) {
    line_.resize(before);
    while (kept > 0 && is_within_character(value[kept])) --kept;
    if (kept == 0) return;
    append_logfmt(line_, key, fmt::format("{}...", value.substr(0, kept)));
  }
}

}  // namespace mpb
