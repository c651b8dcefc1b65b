#include "mpctl/metrics_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/counters.hpp"
#include "common/base/plain_text.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/open_metrics.hpp"

namespace mpb::ctl {
namespace {

using boost::json::object;

constexpr std::array<std::string_view, 4> kServiceStates{"running", "degraded", "down", "draining"};
constexpr std::array<std::string_view, 6> kWorkerStates{"starting", "online", "draining",
                                                        "backoff",  "parked", "stopped"};

/// "rss_bytes" of a worker is mpbroker_worker_rss_bytes, "uptime_ms"
/// mpbroker_worker_uptime_seconds.
MetricFamily family_of(std::string_view scope, const CounterInfo& counter) {
  MetricFamily family{fmt::format("mpbroker_{}_", scope),
                      counter.counts() ? MetricType::kCounter : MetricType::kGauge, "",
                      counter.help};
  std::string_view name = counter.name;
  if (counter.unit() != CounterUnit::kNone) {
    name = name.substr(0, name.rfind('_'));
    family.unit = counter.unit() == CounterUnit::kBytes ? "bytes" : "seconds";
  }
  family.name += name;
  std::ranges::replace(family.name, '.', '_');
  return family;
}

double in_base_unit(std::uint64_t value, CounterUnit unit) {
  return static_cast<double>(value) / (unit == CounterUnit::kMilliseconds ? 1000 : 1);
}

/// A label, and the member that has its value.
struct LabelSource {
  std::string_view label;
  std::string_view member;
};

/// What stands in the names of metrics, and tells the entries of a list apart.
struct Scope {
  std::string_view name;
  std::vector<LabelSource> labels;
};

// A listener of a host name is there once for each of its addresses.
const Scope kListener{"listener", {{"listener", "name"}, {"address", "address"}}};
const Scope kWorker{"worker", {{"slot", "slot"}}};
const Scope kBroker{"broker", {}};
const Scope kCells{"cells", {}};

std::vector<MetricLabel> labels_of(const object& entry, const Scope& scope) {
  std::vector<MetricLabel> labels;
  for (const auto& [label, member] : scope.labels) {
    const boost::json::value* value = entry.if_contains(member);
    const bool named = value != nullptr && value->is_string();
    labels.push_back({label, named ? plain_text(value->get_string()) : count_text(entry, member)});
  }
  return labels;
}

template <class Block, class Wanted>
void add_counters(OpenMetrics& metrics, const Scope& scope, const boost::json::array& entries,
                  Wanted&& wanted) {
  for (const CounterInfo& counter : Block::counters()) {
    if (!std::invoke(wanted, counter)) continue;
    metrics.begin(family_of(scope.name, counter));
    for_each_object(entries, [&](const object& entry) {
      const auto value = number_at(entry, counter.name);
      if (!value) return;
      metrics.add(labels_of(entry, scope), in_base_unit(*value, counter.unit()));
    });
  }
}

void add_service(OpenMetrics& metrics, const object& status) {
  metrics.begin({"mpbroker", MetricType::kInfo, "", "The broker's version."});
  metrics.add(std::array{MetricLabel{"version", text(status, "version")}}, 1);
  metrics.begin({"mpbroker_state", MetricType::kStateSet, "", "Whether clients are served."});
  for (const std::string_view state : kServiceStates) {
    metrics.add(std::array{MetricLabel{"mpbroker_state", std::string(state)}},
                text(status, "state") == state ? 1 : 0);
  }
  metrics.begin({"mpbroker_uptime", MetricType::kGauge, "seconds", "Time since the start."});
  metrics.add({}, in_base_unit(number(status, "uptime_ms"), CounterUnit::kMilliseconds));
}

void add_workers(OpenMetrics& metrics, const boost::json::array& workers) {
  metrics.begin({"mpbroker_workers", MetricType::kGauge, "", "Workers by state."});
  for (const std::string_view state : kWorkerStates) {
    std::size_t count = 0;
    for_each_object(workers,
                    [&](const object& worker) { count += text(worker, "state") == state; });
    metrics.add(std::array{MetricLabel{"state", std::string(state)}}, static_cast<double>(count));
  }
  std::size_t base = 0;
  for_each_object(workers, [&](const object& worker) { base += flag(worker, "base"); });
  metrics.begin(
      {"mpbroker_base_workers", MetricType::kGauge, "", "Workers that are to be online."});
  metrics.add({}, static_cast<double>(base));
}

void add_refusals(OpenMetrics& metrics, const object& refused) {
  metrics.begin({"mpbroker_refused", MetricType::kCounter, "", "Clients refused, by reason."});
  for (const auto& reason : refused) {
    metrics.add(std::array{MetricLabel{"reason", plain_text(reason.key())}},
                static_cast<double>(number(refused, reason.key())));
  }
}

}  // namespace

std::string metrics_text(const object& status) {
  OpenMetrics metrics;
  const object& totals = member_object(status, "totals");
  const boost::json::array& listeners = member_array(status, "listeners");
  const boost::json::array& workers = member_array(status, "workers");
  add_service(metrics, status);
  add_workers(metrics, workers);
  add_counters<ListenerCounters>(metrics, kListener, listeners, &CounterInfo::is_gauge);
  add_counters<ListenerCounters>(metrics, kListener, member_array(totals, "listeners"),
                                 &CounterInfo::counts);
  add_counters<SlotCounters>(metrics, kWorker, workers, &CounterInfo::is_gauge);
  add_counters<ProcessCounters>(metrics, kWorker, workers, &CounterInfo::is_gauge);
  add_counters<WorkerCounters>(metrics, kWorker, workers, &CounterInfo::is_gauge);
  const boost::json::array& slots = member_array(totals, "workers");
  add_counters<SlotCounters>(metrics, kWorker, slots, &CounterInfo::counts);
  add_counters<WorkerCounters>(metrics, kWorker, slots, &CounterInfo::counts);
  add_counters<ListenerCounters>(metrics, kWorker, slots, &CounterInfo::counts);
  add_refusals(metrics, member_object(totals, "refused"));
  const boost::json::array broker{member_object(status, "broker")};
  add_counters<BrokerCounters>(metrics, kBroker, broker, any_counter);
  add_counters<DispatchCounters>(metrics, kBroker, broker, any_counter);
  const boost::json::array cells{member_object(status, "cells")};
  add_counters<CellCounters>(metrics, kCells, cells, any_counter);
  add_counters<TalkCounters>(metrics, kBroker, broker, any_counter);
  return metrics.finish();
}

}  // namespace mpb::ctl
