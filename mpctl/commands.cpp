#include "mpctl/commands.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/plain_text.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/answers_text.hpp"
#include "mpctl/connection.hpp"
#include "mpctl/event_text.hpp"
#include "mpctl/health.hpp"
#include "mpctl/hooks_text.hpp"
#include "mpctl/metrics_text.hpp"
#include "mpctl/shared_text.hpp"
#include "mpctl/status_text.hpp"
#include "mpctl/streams_text.hpp"
#include "mpctl/upstreams_text.hpp"
#include "mpctl/watch_text.hpp"

namespace mpb::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kAnswerLimit{10'000};
// Where the broker asks its workers first: above the most that answer-timeout allows.
constexpr Duration kWorkersAnswerLimit{70'000};
constexpr std::string_view kClearScreen = "\x1b[2J";

struct Answer {
  std::string line;
  boost::json::object object;
};

Status write_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return system_error("cannot write to standard output");
  }
  return {};
}

Result<Answer> ask(Connection& connection, const boost::json::object& request,
                   Duration limit = kAnswerLimit) {
  if (const Status sent = connection.send(request); !sent) return sent.error();
  auto line = connection.read_line(limit);
  if (!line) return line.error();
  auto object = parse_object(*line);
  if (!object) return object.error();
  return Answer{std::move(*line), std::move(*object)};
}

Result<Answer> ask(const Options& options) {
  auto connection = Connection::open(options.socket, kAnswerLimit);
  if (!connection) return connection.error();
  return ask(*connection, options.request,
             options.asks_status() ? kAnswerLimit : kWorkersAnswerLimit);
}

/// For people; of an answer that says no more than that it is done: nothing.
std::string answer_text(Mode mode, const boost::json::object& answer) {
  switch (mode) {
    case Mode::kStatus:
      return status_text(answer);
    case Mode::kMetrics:
      return metrics_text(answer);
    case Mode::kStreams:
      return streams_text(answer);
    case Mode::kUpstreams:
      return upstreams_text(answer);
    case Mode::kHooks:
      return hooks_text(answer);
    case Mode::kTable:
      return shared_text(answer);
    default:
      return {};
  }
}

Status run_request(const Options& options) {
  const auto answer = ask(options);
  if (!answer) return answer.error();
  if (options.json) {
    if (auto written = write_out(plain_json(answer->line) + '\n'); !written) return written;
  }
  if (auto status = check_answer(answer->object); !status) return status;
  // Not among what a script reads.
  const std::string warning = text(answer->object, "warning");
  if (warning != "-") std::fprintf(stderr, "mpctl: warning: %s\n", warning.c_str());
  std::fputs(missing_text(answer->object).c_str(), stderr);
  std::fputs(warnings_text(answer->object).c_str(), stderr);
  if (options.json) return {};
  return write_out(answer_text(options.mode, answer->object));
}

Status print_event(const std::string& line, const Options& options) {
  const auto event = parse_object(line);
  if (!event) return event.error();
  if (!options.prefix.empty() && !text(*event, "key").starts_with(options.prefix)) return {};
  return write_out((options.json ? plain_json(line) : event_text(*event)) + '\n');
}

/// Until the broker ends, which is an error, or mpctl is interrupted.
Status run_events(const Options& options) {
  auto connection = Connection::open(options.socket, kAnswerLimit);
  if (!connection) return connection.error();
  const auto answer = ask(*connection, options.request);
  if (!answer) return answer.error();
  if (auto status = check_answer(answer->object); !status) return status;
  for (;;) {
    const auto line = connection->read_line(std::nullopt);
    if (!line) return line.error();
    if (auto printed = print_event(*line, options); !printed) return printed;
  }
}

std::string on_terminal(const std::string& text) {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return redraw_text(text, known ? size.ws_col : 80U, known ? size.ws_row : 24U);
}

Status show_table(const std::string& table, bool first) {
  if (::isatty(STDOUT_FILENO) != 1) return write_out((first ? "" : "\n") + table);
  return write_out(std::string(first ? kClearScreen : "") + on_terminal(table));
}

Status run_watch(const Options& options) {
  std::optional<boost::json::object> before;
  Clock::time_point looked;
  Clock::time_point next = Clock::now();
  for (std::uint64_t tables = 0; options.count == 0 || tables < options.count; ++tables) {
    if (before) std::this_thread::sleep_until(next);
    // A connection of its own each time: the broker may have been started anew.
    auto answer = ask(options);
    if (!answer) return answer.error();
    if (auto status = check_answer(answer->object); !status) return status;
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - looked;
    const std::string table =
        watch_text(answer->object, before ? &*before : nullptr, passed.count());
    if (auto shown = show_table(table, !before); !shown) return shown;
    before = std::move(answer->object);
    looked = now;
    next = std::max(next + options.interval, now);
  }
  return {};
}

Health ask_health(const Options& options) {
  const auto answer = ask(options);
  if (!answer) return no_answer(answer.error().text);
  if (const Status status = check_answer(answer->object); !status) {
    return no_answer(status.error().text);
  }
  return health_of(answer->object);
}

Result<int> run_health(const Options& options) {
  const Health health = ask_health(options);
  if (const Status written = write_out(health.line + '\n'); !written) return written.error();
  return health.exit_status;
}

/// Who answered what, if answers are wanted; those that are missing are named, and make it a
/// failure.
Result<int> run_ask(const Options& options) {
  const auto answer = ask(options);
  if (!answer) return answer.error();
  if (options.json) {
    if (auto written = write_out(plain_json(answer->line) + '\n'); !written) {
      return written.error();
    }
  }
  if (auto status = check_answer(answer->object); !status) return status.error();
  if (!options.json) {
    if (auto written = write_out(answers_text(answer->object)); !written) return written.error();
  }
  const std::string missing = missing_answers_text(answer->object);
  std::fputs(missing.c_str(), stderr);
  return missing.empty() ? 0 : 1;
}

Result<int> exit_status_of(const Status& done) {
  if (!done) return done.error();
  return 0;
}

}  // namespace

Result<int> run_command(const Options& options) {
  switch (options.mode) {
    case Mode::kHealth:
      return run_health(options);
    case Mode::kAnswers:
    case Mode::kSend:
      return run_ask(options);
    case Mode::kWatch:
      return exit_status_of(run_watch(options));
    case Mode::kEvents:
      return exit_status_of(run_events(options));
    default:
      return exit_status_of(run_request(options));
  }
}

}  // namespace mpb::ctl
