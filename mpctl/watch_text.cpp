#include "mpctl/watch_text.hpp"

#include <fmt/format.h>

#include <optional>

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

/// The same worker process at the last look, or null.
const json::object* find_worker(const json::object* status, const json::object& worker) {
  const json::object* found = nullptr;
  if (status == nullptr) return found;
  for_each_object(member_array(*status, "workers"), [&](const json::object& known) {
    const bool same = number(known, "slot") == number(worker, "slot") &&
                      number(known, "pid") == number(worker, "pid");
    if (same) found = &known;
  });
  return found;
}

std::vector<std::string> worker_cells(const json::object& now, const json::object* before,
                                      double seconds) {
  const auto per_second = [&](auto&& read) {
    return rate(read(now), before == nullptr ? std::nullopt : std::optional(read(*before)),
                seconds);
  };
  const auto of = [&](std::string_view counter) {
    return per_second(
        [&](const json::object& worker) { return number_at(worker, counter).value_or(0); });
  };
  return {worker_name(now),
          text(now, "state"),
          count_text(now, "clients"),
          count_text(now, "in_flight"),
          of("accepted"),
          of("handoffs.out"),
          of("handoffs.in"),
          of("handoffs.kept"),
          per_second([](const json::object& w) { return sum(member_object(w, "rejected")); }),
          count_text(now, "restarts"),
          queue_text(now),
          count_text(now, "fds"),
          short_size(number(now, "rss_bytes"))};
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
  Table table({{"WORKER"},
               {"STATE", Align::kLeft},
               {"CLIENTS"},
               {"IN FLIGHT"},
               {"ACCEPT/s"},
               {"OUT/s"},
               {"IN/s"},
               {"KEPT/s"},
               {"REJECT/s"},
               {"RESTARTS"},
               {"QUEUE"},
               {"FDS"},
               {"RSS"}});
  for_each_object(member_array(now, "workers"), [&](const json::object& worker) {
    table.add(worker_cells(worker, find_worker(before, worker), seconds));
  });
  return summary_text(now) + rates_text(now, before, seconds) + '\n' + table.to_string();
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
