#include <fmt/format.h>

#include <iterator>

#include "bench/mpclient/report.hpp"

namespace mpb::load {
namespace {

constexpr double kBottleneckPercent = 80;
// A shorter run says nothing: its start alone keeps mpclient busy.
constexpr double kLongEnoughSeconds = 0.1;

using Buffer = fmt::memory_buffer;

template <class... Args>
void add(Buffer& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string load_text(const Settings& settings) {
  switch (settings.mode) {
    case Mode::kClosed:
      return fmt::format("closed loop, {} clients in flight", settings.concurrency);
    case Mode::kOpen:
      return fmt::format("open loop, {} clients/s intended", settings.rate);
    case Mode::kPaced:
      return fmt::format("{} clients kept, a message every {} each", settings.clients,
                         format_duration(settings.interval));
    case Mode::kHold:
      return fmt::format("{} clients held idle for {}", settings.clients,
                         format_duration(settings.hold));
    case Mode::kStorm:
      return fmt::format("storm of {} clients", settings.clients);
  }
  return {};
}

void add_head(Buffer& out, const Report& report) {
  const Settings& settings = report.settings;
  add(out, "target    {}: {}, ids {}, {} thread{}", settings.target.to_string(),
      load_text(settings), settings.ids_text, settings.threads, settings.threads == 1 ? "" : "s");
  if (settings.sources > 1) add(out, ", {} source addresses", settings.sources);
  add(out, "{}\n", report.interrupted ? "; ended by a signal" : "");
}

void add_counts(Buffer& out, const Report& report) {
  const Tally& tally = report.tally;
  add(out, "clients   {} started, {} served, {} lost, {} wrong, {} refused", tally.started,
      tally.served, tally.lost, tally.wrong, tally.refused);
  if (tally.unfinished > 0) add(out, ", {} unfinished", tally.unfinished);
  if (tally.never_started > 0) {
    add(out, "\n          {} were due but never started: no room for them", tally.never_started);
  }
  add(out, "\nrate      {:.0f} clients/s, {:.0f} messages/s; {:.3f} s in all\n",
      report.clients_per_second(), report.messages_per_second(), report.seconds);
  if (report.first_wave_seconds > 0) {
    add(out, "answered  all clients after {:.3f} s", report.first_wave_seconds);
    if (report.second_wave_seconds > 0) {
      add(out, ", and after their move {:.3f} s", report.second_wave_seconds);
    }
    add(out, "\n");
  }
}

double microseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

void add_latency(Buffer& out, std::string_view name, const Histogram& histogram) {
  if (histogram.count() == 0) return;
  add(out, "  {:<8}{:>10.0f}{:>10.0f}{:>10.0f}{:>10.0f}{:>10.0f}{:>12}\n", name,
      microseconds(histogram.quantile(0.5)), microseconds(histogram.quantile(0.9)),
      microseconds(histogram.quantile(0.99)), microseconds(histogram.quantile(0.999)),
      microseconds(histogram.max()), histogram.count());
}

void add_latencies(Buffer& out, const Report& report) {
  const Tally& tally = report.tally;
  const bool open = report.settings.mode == Mode::kOpen;
  add(out, "latency in microseconds{}\n", open ? ", from the intended start" : "");
  add(out, "  {:<8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}\n", "", "p50", "p90", "p99", "p99.9", "max",
      "count");
  add_latency(out, "connect", tally.connect);
  add_latency(out, "dispatch", tally.dispatch);
  add_latency(out, "move", tally.move);
  add_latency(out, "message", tally.message);
  add_latency(out, "start", tally.lateness);
  if (open) add(out, "  (start: how late mpclient itself began a client)\n");
}

void add_workers(Buffer& out, const Tally& tally) {
  if (tally.workers.empty()) return;
  const std::uint64_t told = tally.answered_where_accepted + tally.handed_over;
  add(out, "workers   {:>6}{:>10}{:>12}{:>9}\n", "slot", "pid", "clients", "share");
  for (const WorkerShare& share : tally.workers) {
    add(out, "          {:>6}{:>10}{:>12}{:>7.1f} %\n", share.worker.slot, share.worker.pid,
        share.clients, 100 * per_second(share.clients, static_cast<double>(told)));
  }
  add(out, "handed    {} of {} answers came after a hand-over ({:.1f} %)\n", tally.handed_over,
      told, 100 * per_second(tally.handed_over, static_cast<double>(told)));
}

void add_problems(Buffer& out, const Tally& tally) {
  for (std::size_t i = 0; i < kProblems; ++i) {
    if (tally.problems[i] == 0) continue;
    add(out, "problem   {:>8} {}\n", tally.problems[i], problem_text(static_cast<Problem>(i)));
  }
  for (const std::string& sample : tally.samples) add(out, "such as   {}\n", sample);
}

void add_own_load(Buffer& out, const Report& report) {
  add(out, "mpclient  busy {:.0f} % of {} thread{} ({:.2f} s of CPU)\n", report.busy_percent(),
      report.settings.threads, report.settings.threads == 1 ? "" : "s", report.cpu_seconds);
  if (report.is_bottleneck()) {
    add(out,
        "warning   mpclient was the bottleneck, or close to it: the server may be faster than "
        "this; try more --threads\n");
  }
}

}  // namespace

double Report::clients_per_second() const {
  return per_second(tally.served, first_wave_seconds > 0 ? first_wave_seconds : seconds);
}

double Report::messages_per_second() const {
  return per_second(tally.messages, seconds);
}

double Report::busy_percent() const {
  return wall_seconds > 0 ? 100 * cpu_seconds / wall_seconds / settings.threads : 0;
}

bool Report::is_bottleneck() const {
  return wall_seconds >= kLongEnoughSeconds && busy_percent() > kBottleneckPercent;
}

bool Report::passed() const {
  return tally.lost == 0 && tally.wrong == 0 && (tally.refused == 0 || settings.allow_busy);
}

std::string text_report(const Report& report) {
  Buffer out;
  add_head(out, report);
  add_counts(out, report);
  add_latencies(out, report);
  add_workers(out, report.tally);
  add_problems(out, report.tally);
  add_own_load(out, report);
  return fmt::to_string(out);
}

}  // namespace mpb::load
