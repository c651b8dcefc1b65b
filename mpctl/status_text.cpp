#include "mpctl/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/counters.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/safe_text.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

bool runs(const json::object& worker) {
  return number(worker, "pid") > 0;
}

std::string pid(const json::object& worker) {
  return runs(worker) ? count_text(worker, "pid") : "-";
}

std::string uptime(const json::object& worker) {
  return runs(worker) ? short_time(number(worker, "uptime_ms")) : "-";
}

Columns listener_columns() {
  Columns columns{text_column("LISTENER", "name"),     text_column("ADDRESS", "address"),
                  text_column("PROTOCOL", "protocol"), text_column("HANDLER", "handler"),
                  text_column("POLICY", "policy"),     flag_column("STICKY", "sticky"),
                  text_column("OVERFLOW", "overflow")};
  append_counters<ListenerCounters>(columns, std::not_fn(&CounterInfo::of_handoffs));
  return columns;
}

/// `users`: some cells have one of their own.
Columns worker_columns(bool users) {
  Columns columns{{"WORKER", worker_name},
                  {"PID", pid},
                  text_column("ROLE", "role"),
                  text_column("KEY", "key")};
  if (users) columns.push_back(text_column("USER", "user"));
  columns.push_back(text_column("STATE", "state"));
  columns.push_back(flag_column("ACCEPTS", "accepts"));
  columns.push_back({"UPTIME", uptime});
  append_counters<SlotCounters>(columns);
  append_counters<WorkerCounters>(columns);
  append_counters<ListenerCounters>(columns, &CounterInfo::counts);
  // On the channel the other way round.
  const auto out = std::ranges::find(columns, "OUT", &Column::title);
  std::iter_swap(out, out - 1);
  columns.push_back({"QUEUE", queue_text});
  append_counters<ProcessCounters>(columns);
  columns.push_back(text_column("LAST EXIT", "last_exit"));
  return columns;
}

bool has_users(const json::object& status) {
  bool users = false;
  for_each_object(member_array(status, "workers"), [&users](const json::object& worker) {
    users = users || !text(worker, "user").empty();
  });
  return users;
}

/// "12 busy, 3 header": the reasons that occurred, over all of `list`.
std::string reasons_text(const json::object& status, std::string_view list,
                         std::string_view member) {
  std::vector<std::pair<std::string, std::uint64_t>> totals;
  for_each_object(member_array(status, list), [&](const json::object& entry) {
    const json::object& reasons = member_object(entry, member);
    for (const auto& reason : reasons) {
      auto total = std::find_if(totals.begin(), totals.end(),
                                [&](const auto& known) { return known.first == reason.key(); });
      if (total == totals.end()) total = totals.insert(total, {reason.key(), 0});
      total->second += number(reasons, reason.key());
    }
  });
  std::string line;
  for (const auto& [reason, total] : totals) {
    if (total > 0)
      line += fmt::format("{}{} {}", line.empty() ? "" : ", ", total, safe_text(reason));
  }
  return line.empty() ? "none" : line;
}

/// Nothing where no listener isolates.
std::string cells_text(const json::object& status) {
  const json::object& cells = member_object(status, "cells");
  const auto n = [&](std::string_view member) { return number(cells, member); };
  if (n("started") + n("overflowed") == 0) return {};
  return fmt::format(
      "cells:    {} run, {} of them spare; {} keys and {} clients got one, {} overflowed, {} "
      "crashed, {} keys back off\n",
      n("running"), n("spare"), n("keys"), n("clients"), n("overflowed"), n("crashed"),
      n("backing_off"));
}

std::string dispatch_text(const json::object& status) {
  const json::object& broker = member_object(status, "broker");
  const auto n = [&](std::string_view member) { return number(broker, member); };
  std::string text = fmt::format(
      "dispatch: {} handoffs: {} delivered, {} kept; {} settled, {} nacked, {} retried; now {} in "
      "flight, {} waiting\n",
      n("handoffs"), n("delivered"), n("kept"), n("settled"), n("nacked"), n("retried"),
      n("in_flight"), n("waiting"));
  text += fmt::format("          {} had to wait, {} found no place, {} lost their descriptor\n",
                      n("waited"), n("busy"), n("descriptors_lost"));
  text += cells_text(status);
  text += fmt::format(
      "rejected: {}\nclosed:   {}\nrefused:  {}\n", reasons_text(status, "listeners", "rejected"),
      reasons_text(status, "listeners", "closed"), reasons_text(status, "workers", "refused"));
  text +=
      fmt::format("broker:   {} keys, {} descriptors, RSS {}, {:.1f} s of CPU\n", n("keys"),
                  n("fds"), short_size(n("rss_bytes")), static_cast<double>(n("cpu_ms")) / 1000);
  const json::object& tables = member_object(broker, "tables");
  if (number(tables, "count") > 0) {
    text += fmt::format("tables:   {} with {} entries, {} bytes; {} operations, {} refused\n",
                        number(tables, "count"), number(tables, "entries"),
                        number(tables, "size_bytes"), number(tables, "operations"),
                        number(tables, "refused"));
  }
  return text;
}

/// Empty: there is none, and is to be none.
std::string zygote_text(const json::object& status) {
  const json::object& zygote = member_object(status, "zygote");
  const std::string state = text(zygote, "state");
  if (zygote.empty() || state == "off") return {};
  return fmt::format("zygote:   {}, pid {}, {} workers forked\n", state, pid(zygote),
                     number(member_object(status, "broker"), "forked"));
}

}  // namespace

std::string short_time(std::uint64_t milliseconds) {
  constexpr std::array<std::pair<const char*, std::uint64_t>, 4> kUnits{
      {{"d", 86'400}, {"h", 3'600}, {"m", 60}, {"s", 1}}};
  const std::uint64_t seconds = milliseconds / 1000;
  if (seconds == 0) return fmt::format("{}ms", milliseconds);
  std::size_t i = 0;
  while (seconds < kUnits[i].second) ++i;
  std::string text = fmt::format("{}{}", seconds / kUnits[i].second, kUnits[i].first);
  const std::uint64_t rest = seconds % kUnits[i].second;
  if (i + 1 < kUnits.size() && rest >= kUnits[i + 1].second) {
    text += fmt::format("{}{}", rest / kUnits[i + 1].second, kUnits[i + 1].first);
  }
  return text;
}

std::string short_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t i = 0;
  while (size >= 1024 && i + 1 < kUnits.size()) {
    size /= 1024;
    ++i;
  }
  return fmt::format("{:.1f} {}", size, kUnits[i]);
}

std::string queue_text(const json::object& worker) {
  const json::object& queue = member_object(worker, "queue_high_water");
  return fmt::format("{}/{}", number(queue, "broker"), number(queue, "worker"));
}

std::string worker_name(const json::object& worker) {
  return count_text(worker, "slot") + (flag(worker, "base") ? "" : "+");
}

std::string summary_text(const json::object& status) {
  std::size_t online = 0;
  std::size_t workers = 0;
  std::uint64_t clients = 0;
  for_each_object(member_array(status, "workers"), [&](const json::object& worker) {
    ++workers;
    clients += number(worker, "clients");
    if (text(worker, "state") == "online") ++online;
  });
  std::string line =
      fmt::format("mpbroker {}, pid {}, {} for {}: {} clients, {} of {} workers online\n",
                  text(status, "version"), number(status, "pid"), text(status, "state"),
                  short_time(number(status, "uptime_ms")), clients, online, workers);
  const std::string why = text(status, "why");
  if (why != "-") line += fmt::format("{}: {}\n", text(status, "state"), why);
  return line;
}

std::string status_text(const json::object& status) {
  return fmt::format("{}\n{}\n{}\n{}{}", summary_text(status),
                     table_text(listener_columns(), member_array(status, "listeners")),
                     table_text(worker_columns(has_users(status)), member_array(status, "workers")),
                     dispatch_text(status), zygote_text(status));
}

}  // namespace mpb::ctl
