#include "common/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "common/utf8.hpp"

namespace mpb {
namespace {

// In the order of LogLevel.
constexpr std::array<std::string_view, 5> kLevelNames{"debug", "info", "warning", "error", "off"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

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

struct Logger {
  spdlog::logger logger{"mpb", std::make_shared<spdlog::sinks::stderr_sink_st>()};
  bool to_journal = stderr_is_journal();
  std::string program = "mpbroker";

  Logger() { configure(); }
  void configure() {
    const std::string fields = "level=%l program=" + program + " %v";
    logger.set_pattern(to_journal ? "%v" : "time=%Y-%m-%dT%H:%M:%S.%e%z " + fields);
    logger.flush_on(spdlog::level::debug);
  }
};

Logger& instance() {
  static Logger logger;
  return logger;
}

/// Bytes that are not UTF-8, and control characters, those above U+007F included.
bool must_be_escaped(const CodePoint& code) {
  return code.size == 0 || code.value < ' ' || (code.value >= 0x7f && code.value < 0xa0);
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  while (!value.empty()) {
    const CodePoint code = first_code_point(value);
    const char c = value.front();
    if (must_be_escaped(code) || c == ' ' || c == '"' || c == '=' || c == '\\') return true;
    value.remove_prefix(code.size);
  }
  return false;
}

void append_escaped(std::string& line, std::string_view value) {
  while (!value.empty()) {
    const CodePoint code = first_code_point(value);
    const std::string_view bytes = value.substr(0, std::max<std::size_t>(code.size, 1));
    if (must_be_escaped(code)) {
      line += code.size <= 1 ? fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()))
                             : fmt::format("\\u{{{:04x}}}", code.value);
    } else {
      if (bytes == "\"" || bytes == "\\") line += '\\';
      line += bytes;
    }
    value.remove_prefix(bytes.size());
  }
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

void init_log(std::string_view program, LogLevel level) {
  instance().program = program;
  instance().configure();
  set_log_level(level);
}

void set_log_level(LogLevel level) {
  instance().logger.set_level(to_spdlog(level));
}

bool log_enabled(LogLevel level) {
  return instance().logger.should_log(to_spdlog(level));
}

void append_logfmt(std::string& line, std::string_view key, std::string_view value) {
  if (!line.empty()) line += ' ';
  line.append(key).append(1, '=');
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  append_escaped(line, value);
  line += '"';
}

LogLine::LogLine(LogLevel level, std::string_view event)
    : level_(level), enabled_(log_enabled(level)) {
  if (enabled_) append_logfmt(line_, "event", event);
}

LogLine::~LogLine() {
  if (!enabled_) return;
  Logger& log = instance();
  if (log.to_journal) {
    line_ = fmt::format("{}program={} {}", priority_prefix(level_), log.program, line_);
  }
  log.logger.log(to_spdlog(level_), line_);
}

}  // namespace mpb
