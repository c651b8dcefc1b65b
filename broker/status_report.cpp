#include "broker/status_report.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/json/array.hpp>

#include "common/foreign_descriptor.hpp"
#include "common/log.hpp"
#include "common/process.hpp"

namespace mpb {
namespace {

using boost::json::object;

std::string_view to_string(Policy policy) {
  switch (policy) {
    case Policy::kLeast:
      return "least";
    case Policy::kHash:
      return "hash";
    case Policy::kP2c:
      return "p2c";
    case Policy::kLocal:
      return "local";
  }
  return "?";
}

void add(ListenerCounters& sum, const ListenerCounters& more) {
  sum.clients += more.clients;
  sum.accepted += more.accepted;
  sum.adopted += more.adopted;
  sum.handed_off += more.handed_off;
  sum.kept += more.kept;
  sum.nacked += more.nacked;
  sum.retried += more.retried;
  sum.rejected_busy += more.rejected_busy;
  sum.rejected_input += more.rejected_input;
  sum.rejected_header += more.rejected_header;
  sum.rejected_source += more.rejected_source;
  sum.closed_idle += more.closed_idle;
  sum.closed_slow += more.closed_slow;
  sum.closed_unsettled += more.closed_unsettled;
}

object rejected(const ListenerCounters& counters) {
  return {{"busy", counters.rejected_busy},
          {"input", counters.rejected_input},
          {"header", counters.rejected_header},
          {"source", counters.rejected_source}};
}

object closed(const ListenerCounters& counters) {
  return {{"idle", counters.closed_idle},
          {"slow", counters.closed_slow},
          {"unsettled", counters.closed_unsettled}};
}

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
      {"state", broker_.stopping_ ? "draining" : to_string(broker_.service_.state)},
      {"why", broker_.stopping_ ? "" : broker_.service_trouble()},
      {"uptime_ms", std::chrono::duration_cast<Duration>(Clock::now() - broker_.started_).count()}};
  boost::json::array listeners;
  const auto totals = sums();
  for (const auto& [number, entry] : broker_.listeners_.all()) {
    const auto sum = totals.find(number);
    listeners.push_back(listener(entry, sum == totals.end() ? ListenerCounters() : sum->second));
  }
  report["listeners"] = std::move(listeners);
  boost::json::array workers;
  for (Slot slot = 0; slot < broker_.workers_.size(); ++slot) {
    const bool unused =
        broker_.workers_.at(slot).state == WorkerState::kStopped && broker_.scaler_.is_extra(slot);
    if (!unused) workers.push_back(worker(slot));
  }
  report["workers"] = std::move(workers);
  report["broker"] = dispatch();
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
  return {{"name", settings.name},
          {"address", entry.address},
          {"protocol", settings.protocol},
          {"handler", settings.handler},
          {"policy", to_string(settings.policy)},
          {"sticky", settings.sticky},
          {"overflow", settings.overflow_rule() == Overflow::kSpill ? "spill" : "refuse"},
          {"clients", sum.clients},
          {"accepted", sum.accepted},
          {"rejected", rejected(sum)},
          {"closed", closed(sum)}};
}

object StatusReport::worker(Slot slot) const {
  const WorkerEntry& entry = broker_.workers_.at(slot);
  object report{{"slot", slot},
                {"state", to_string(entry.state)},
                {"base", !broker_.scaler_.is_extra(slot)},
                {"accepts", broker_.accepts(slot)},
                {"uptime_ms", broker_.supervisor_.uptime(slot).count()},
                {"restarts", broker_.supervisor_.restarts(slot)},
                {"last_exit", broker_.supervisor_.last_exit(slot)},
                {"in_flight", entry.in_flight},
                {"taken", entry.taken}};
  const WorkerProcess* process = broker_.supervisor_.process(slot);
  if (process == nullptr) return report;
  ListenerCounters sum;
  boost::json::array listeners;
  for (const ListenerCounters& counters : process->counters().listeners) {
    add(sum, counters);
    const auto* known = broker_.listeners_.find(static_cast<std::uint16_t>(counters.listener));
    listeners.push_back({{"name", known != nullptr ? known->settings.name : "(withdrawn)"},
                         {"clients", counters.clients},
                         {"accepted", counters.accepted},
                         {"in", counters.adopted},
                         {"out", counters.handed_off},
                         {"rejected", rejected(counters)},
                         {"closed", closed(counters)}});
  }
  const WorkerCounters& own = process->counters().own;
  const ProcessUsage usage = read_process_usage(process->pid());
  report["pid"] = process->pid();
  report["clients"] = own.clients;
  report["held"] = own.held;
  report["keys"] = own.keys_owned;
  report["accepted"] = sum.accepted;
  report["handoffs"] = {{"out", sum.handed_off},
                        {"in", sum.adopted},
                        {"kept", sum.kept},
                        {"nacked", sum.nacked},
                        {"retried", sum.retried}};
  report["rejected"] = rejected(sum);
  report["closed"] = closed(sum);
  report["refused"] = refused(process->counters().refused);
  report["accept_pauses"] = own.accept_pauses;
  report["queue_high_water"] = {{"broker", process->queue_high_water()},
                                {"worker", own.queue_high_water}};
  report["fds"] = usage.descriptors;
  report["rss_bytes"] = usage.rss_bytes;
  report["listeners"] = std::move(listeners);
  return report;
}

object StatusReport::dispatch() const {
  const DispatchCounters& counters = broker_.dispatcher_.counters();
  const ProcessUsage usage = read_process_usage(::getpid());
  return {{"fds", usage.descriptors},
          {"rss_bytes", usage.rss_bytes},
          {"cpu_ms", usage.cpu.count()},
          {"keys", broker_.router_.key_count()},
          {"waiting", broker_.dispatcher_.waiting()},
          {"in_flight", broker_.dispatcher_.in_flight()},
          {"handoffs", counters.handoffs},
          {"delivered", counters.delivered},
          {"kept", counters.kept},
          {"settled", counters.settled},
          {"nacked", counters.nacked},
          {"retried", counters.retried},
          {"waited", counters.waited},
          {"busy", counters.busy},
          {"turned_away", broker_.turn_away_.count()},
          {"descriptors_lost", counters.descriptors_lost},
          {"descriptors_closing", descriptors_closing()},
          {"log_dropped", lost_log_lines()}};
}

}  // namespace mpb
