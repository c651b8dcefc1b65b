#include "broker/status_report.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <functional>

#include <boost/json/array.hpp>

#include "broker/operator/shown_key.hpp"
#include "broker/workers/counter_totals.hpp"
#include "common/base/counter_json.hpp"
#include "common/config/routing_words.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/log/log.hpp"
#include "common/process/process.hpp"

namespace mpb {
namespace {

using boost::json::object;

constexpr std::string_view kHandoffs = "handoffs.";

/// All reasons, those that did not occur too.
object refused(const ReasonCounts& counts) {
  object report;
  for (std::size_t reason = 1; reason < counts.size(); ++reason) {
    if (is_refusal(static_cast<Reason>(reason))) report[kReasonNames[reason]] = counts[reason];
  }
  return report;
}

}  // namespace

object StatusReport::build() const {
  object report{
      {"ok", true},
      {"version", MPB_VERSION},
      {"pid", ::getpid()},
      {"state", broker_.stopping_ ? "draining" : to_string(broker_.service_.state())},
      {"why", broker_.stopping_ ? "" : broker_.service_.trouble()},
      {"uptime_ms", std::chrono::duration_cast<Duration>(Clock::now() - broker_.started_).count()}};
  boost::json::array listeners;
  const auto running = sums();
  for (const auto& [number, entry] : broker_.listeners_.all()) {
    const auto sum = running.find(number);
    listeners.push_back(listener(entry, sum == running.end() ? ListenerCounters() : sum->second));
  }
  report["listeners"] = std::move(listeners);
  boost::json::array workers;
  for (Slot slot = 0; slot < broker_.workers_.size(); ++slot) {
    const bool unused =
        broker_.workers_.at(slot).state == WorkerState::kStopped && broker_.scaler_.is_extra(slot);
    if (!unused) workers.push_back(worker(slot));
  }
  report["workers"] = std::move(workers);
  report["cells"] = cells();
  report["zygote"] = zygote();
  report["broker"] = dispatch();
  report["totals"] = totals();
  return report;
}

std::map<std::uint64_t, ListenerCounters> StatusReport::sums() const {
  std::map<std::uint64_t, ListenerCounters> totals;
  for (Slot slot = 0; slot < broker_.workers_.size(); ++slot) {
    const WorkerProcess* process = broker_.supervisor_.process(slot);
    if (process == nullptr) continue;
    for (const ListenerCounters& counters : process->counters().listeners) {
      add(totals[counters.listener], counters);
    }
  }
  return totals;
}

object StatusReport::listener(const ListenerSet::Listener& entry,
                              const ListenerCounters& sum) const {
  const ListenerSettings& settings = entry.settings;
  object report{{"name", settings.name},
                {"address", entry.address},
                {"protocol", settings.protocol},
                {"handler", settings.handler},
                {"policy", word_for(settings.policy, kPolicies)},
                {"sticky", settings.sticky},
                {"overflow", word_for(settings.overflow_rule(), kOverflows)},
                {"isolate", word_for(settings.isolate, kIsolations)},
                {"isolate_overflow", word_for(settings.isolate_overflow, kIsolateOverflows)}};
  put(report, sum, std::not_fn(&CounterInfo::of_handoffs));
  return report;
}

SlotCounters StatusReport::slot_counters(Slot slot) const {
  const WorkerEntry& entry = broker_.workers_.at(slot);
  return {.uptime_ms = static_cast<std::uint64_t>(broker_.supervisor_.uptime(slot).count()),
          .restarts = broker_.supervisor_.restarts(slot),
          .in_flight = entry.in_flight,
          .taken = entry.taken};
}

object StatusReport::worker(Slot slot) const {
  const auto& run = broker_.supervisor_.cell_run(slot);
  object report{{"slot", slot},
                {"state", state(slot)},
                {"base", !broker_.scaler_.is_extra(slot)},
                {"role", role(slot)},
                {"key", shown_key_of(parse_key_name(broker_.cells_.name(slot)).key)},
                {"user", run ? run->user : std::string()},
                {"accepts", broker_.workers_.online(slot) && broker_.accepts(slot)},
                {"last_exit", broker_.supervisor_.last_exit(slot)}};
  put(report, slot_counters(slot));
  const WorkerProcess* process = broker_.supervisor_.process(slot);
  if (process == nullptr) return report;
  const ReportedCounters& counters = process->counters();
  const ProcessUsage usage = read_process_usage(process->pid());
  report["pid"] = process->pid();
  put(report, ProcessCounters{.queue_high_water = process->queue_high_water(),
                              .fds = usage.descriptors,
                              .rss_bytes = usage.rss_bytes});
  put(report, counters.own);
  report["refused"] = refused(counters.refused);
  ListenerCounters sum;
  boost::json::array listeners;
  for (const ListenerCounters& one : counters.listeners) {
    add(sum, one);
    listeners.push_back(worker_listener(one));
  }
  put(report, sum, &CounterInfo::counts);
  report["listeners"] = std::move(listeners);
  return report;
}

object StatusReport::worker_listener(const ListenerCounters& counters) const {
  const auto* known = broker_.listeners_.find(static_cast<std::uint16_t>(counters.listener));
  object report{{"name", known != nullptr ? known->settings.name : "(withdrawn)"}};
  put(report, counters, std::not_fn(&CounterInfo::of_handoffs));
  for (const auto& counter : ListenerCounters::counters()) {
    if (counter.of_handoffs()) {
      put(report, counter.name.substr(kHandoffs.size()), counters.*counter.value);
    }
  }
  return report;
}

/// One that was started for a client serves it, though it was told to end after it.
std::string_view StatusReport::state(Slot slot) const {
  const WorkerState state = broker_.workers_.at(slot).state;
  const bool serves = state == WorkerState::kDraining &&
                      broker_.cells_.role(slot) == CellRole::kClient &&
                      broker_.supervisor_.ends_when_empty(slot);
  return to_string(serves ? WorkerState::kOnline : state);
}

std::string_view StatusReport::role(Slot slot) const {
  switch (broker_.cells_.role(slot)) {
    case CellRole::kNone:
      return broker_.scaler_.is_extra(slot) ? "extra" : "base";
    case CellRole::kSpare:
      return "spare";
    case CellRole::kKey:
    case CellRole::kClient:
      return "cell";
  }
  return "?";
}

object StatusReport::cells() const {
  constexpr std::size_t kMostShown = 100;
  object report;
  put(report, with_before(broker_.cells_.counters(), broker_.before_.cells));
  boost::json::array backoff;
  std::size_t backing_off = 0;
  broker_.cells_.crashes().for_each_backing_off(
      broker_.loop_.now(), [&](std::string_view name, const BackOff& backs_off) {
        if (++backing_off > kMostShown) return;
        const KeyName parsed = parse_key_name(name);
        backoff.push_back(object{{"protocol", broker_.listeners_.protocol_of(parsed.space)},
                                 {"key", shown_key_of(parsed.key)},
                                 {"failures", backs_off.failures},
                                 {"closed", backs_off.closed},
                                 {"in_ms", backs_off.left.count()}});
      });
  report["backing_off"] = backing_off;
  report["backoff"] = std::move(backoff);
  return report;
}

object StatusReport::zygote() const {
  const Zygote& zygote = broker_.supervisor_.zygote();
  return {{"state", to_string(zygote.state())}, {"pid", zygote.pid()}};
}

object StatusReport::dispatch() const {
  const ProcessUsage usage = read_process_usage(::getpid());
  BrokerCounters counters = broker_.counters();
  counters.fds = usage.descriptors;
  counters.rss_bytes = usage.rss_bytes;
  object report;
  put(report, counters);
  put(report, with_before(broker_.dispatcher_.counters(), broker_.before_.dispatch));
  put(report, with_before(broker_.talk_.counters(), broker_.before_.talk));
  return report;
}

object StatusReport::totals() const {
  CounterTotals totals = broker_.ended_;
  for (Slot slot = 0; slot < broker_.workers_.size(); ++slot) {
    const WorkerProcess* process = broker_.supervisor_.process(slot);
    if (process != nullptr) totals.add(slot, broker_.workers_.at(slot).taken, process->counters());
  }
  boost::json::array workers;
  for (auto& [slot, worker] : totals.workers) {
    worker.slot.restarts = broker_.supervisor_.restarts(slot);
    object report{{"slot", slot}};
    put(report, worker.slot, &CounterInfo::counts);
    put(report, worker.own, &CounterInfo::counts);
    put(report, worker.listeners, &CounterInfo::counts);
    workers.push_back(std::move(report));
  }
  boost::json::array listeners;
  for (const auto& [number, entry] : broker_.listeners_.all()) {
    object report{{"name", entry.settings.name}, {"address", entry.address}};
    put(report, totals.listeners[number], &CounterInfo::counts);
    listeners.push_back(std::move(report));
  }
  return {{"listeners", std::move(listeners)},
          {"workers", std::move(workers)},
          {"refused", refused(totals.refused)}};
}

}  // namespace mpb
