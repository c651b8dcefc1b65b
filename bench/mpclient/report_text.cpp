#include <fmt/format.h>

#include "bench/load/report_parts.hpp"
#include "bench/mpclient/report.hpp"

namespace mpb::load {
namespace {

constexpr int kNameWidth = 8;

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

void add_latencies(Buffer& out, const Report& report) {
  const Tally& tally = report.tally;
  const bool open = report.settings.mode == Mode::kOpen;
  add(out, "latency in microseconds{}\n", open ? ", from the intended start" : "");
  add_latency_heading(out, kNameWidth);
  add_latency(out, kNameWidth, "connect", tally.connect);
  add_latency(out, kNameWidth, "dispatch", tally.dispatch);
  add_latency(out, kNameWidth, "move", tally.move);
  add_latency(out, kNameWidth, "message", tally.message);
  add_latency(out, kNameWidth, "start", tally.lateness);
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

}  // namespace

double Report::clients_per_second() const {
  return per_second(tally.served, first_wave_seconds > 0 ? first_wave_seconds : seconds);
}

double Report::messages_per_second() const {
  return per_second(tally.messages, seconds);
}

OwnLoad Report::own_load() const {
  return {cpu_seconds, wall_seconds, settings.threads};
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
  add_problems(out, problem_names(), report.tally.problems, report.tally.samples);
  add_own_load(out, "mpclient", report.own_load(), "try more --threads");
  return fmt::to_string(out);
}

}  // namespace mpb::load
