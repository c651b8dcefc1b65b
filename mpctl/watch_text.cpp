#include "mpctl/watch_text.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "common/base/counters.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/safe_text.hpp"
#include "mpctl/status_text.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

// xterm's: to the upper left; clear to the end of the line; clear to the end of the screen.
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

std::string rate(std::uint64_t now, std::optional<std::uint64_t> before, double seconds) {
  if (!before || now < *before || seconds <= 0) return "-";
  return fmt::format("{:.0f}", static_cast<double>(now - *before) / seconds);
}

using Processes = std::map<std::pair<std::uint64_t, std::uint64_t>, const json::object*>;

std::pair<std::uint64_t, std::uint64_t> process_of(const json::object& worker) {
  return {number(worker, "slot"), number(worker, "pid")};
}

/// "12/s" of what `read(worker)` counts, since the process was seen last.
template <class Read>
Column rate_column(std::string_view title, const Processes& before, double seconds, Read read) {
  return {title, [=, &before](const json::object& worker) {
            const auto known = before.find(process_of(worker));
            return rate(read(worker),
                        known == before.end() ? std::nullopt : std::optional(read(*known->second)),
                        seconds);
          }};
}

std::string workers_text(const json::object& now, const json::object* before, double seconds) {
  Processes processes;
  if (before != nullptr) {
    for_each_object(member_array(*before, "workers"),
                    [&](const json::object& worker) { processes[process_of(worker)] = &worker; });
  }
  const auto rate_of = [&](std::string_view title, std::string_view counter) {
    return rate_column(title, processes, seconds, [counter](const json::object& worker) {
      return number_at(worker, counter).value_or(0);
    });
  };
  const auto rejected = [](const json::object& w) { return sum(member_object(w, "rejected")); };
  Columns columns{{"WORKER", worker_name},
                  text_column("STATE", "state"),
                  count_column("CLIENTS", "clients"),
                  count_column("IN FLIGHT", "in_flight"),
                  rate_of("ACCEPT/s", "accepted"),
                  rate_of("OUT/s", "handoffs.out"),
                  rate_of("IN/s", "handoffs.in"),
                  rate_of("KEPT/s", "handoffs.kept"),
                  rate_column("REJECT/s", processes, seconds, rejected),
                  count_column("RESTARTS", "restarts"),
                  {"QUEUE", queue_text}};
  append_counters<ProcessCounters>(columns);
  return table_text(columns, member_array(now, "workers"));
}

std::uint64_t accepted(const json::object& status) {
  std::uint64_t total = 0;
  for_each_object(member_array(status, "listeners"),
                  [&](const json::object& listener) { total += number(listener, "accepted"); });
  return total;
}

std::string rates_text(const json::object& now, const json::object* before, double seconds) {
  const json::object& broker = member_object(now, "broker");
  const auto earlier = [&](auto&& read) -> std::optional<std::uint64_t> {
    if (before == nullptr || number(*before, "pid") != number(now, "pid")) return std::nullopt;
    return read(*before);
  };
  const auto handoffs = [](const json::object& status) {
    return number_at(status, "broker.handoffs").value_or(0);
  };
  const auto cpu = [](const json::object& status) {
    return number_at(status, "broker.cpu_ms").value_or(0);
  };
  const auto cpu_before = earlier(cpu);
  const std::string busy =
      cpu_before && seconds > 0 && cpu(now) >= *cpu_before
          ? fmt::format("{:.0f}%", static_cast<double>(cpu(now) - *cpu_before) / 10 / seconds)
          : "-";
  return fmt::format(
      "per second: {} clients, {} handoffs; in flight {}, waiting {}; broker CPU {}\n",
      rate(accepted(now), earlier(accepted), seconds),
      rate(handoffs(now), earlier(handoffs), seconds), number(broker, "in_flight"),
      number(broker, "waiting"), busy);
}

/// The part of a safe `line` that fits.
std::string_view cut(std::string_view line, std::size_t columns) {
  while (width_of(line) > columns) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string watch_text(const json::object& now, const json::object* before, double seconds) {
  return summary_text(now) + rates_text(now, before, seconds) + '\n' +
         workers_text(now, before, seconds);
}

std::string redraw_text(std::string_view text, std::size_t columns, std::size_t rows) {
  std::string drawn(kHome);
  for (std::size_t row = 0; row < rows && !text.empty(); ++row) {
    const auto end = text.find('\n');
    if (row > 0) drawn += '\n';  // none behind the last line: it would scroll a full screen
    drawn += cut(text.substr(0, end), columns);
    drawn += kClearLine;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  drawn += kClearBelow;
  return drawn;
}

}  // namespace mpb::ctl
