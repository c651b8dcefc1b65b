#include <fmt/format.h>

#include "bench/load/report_parts.hpp"
#include "bench/mprtmp/report.hpp"

namespace mpb::rtmp_load {
namespace {

using load::add;
using load::Buffer;

constexpr int kNameWidth = 12;

std::string bitrate_text(double bits) {
  return bits >= 1e6 ? fmt::format("{:.2f} Mbit/s", bits / 1e6)
                     : fmt::format("{:.0f} kbit/s", bits / 1e3);
}

void add_head(Buffer& out, const Report& report) {
  const Settings& settings = report.settings;
  const StreamNames& names = settings.names;
  add(out, "mprtmp    {}, {}; {} stream{} of {} vhost{} ({})", settings.target.to_string(),
      mode_name(settings), names.total(), names.total() == 1 ? "" : "s", names.vhosts,
      names.vhosts == 1 ? "" : "s", word_for(names.form, kForms));
  if (settings.rate > 0) add(out, "; {} clients/s intended", settings.rate);
  if (settings.churn) {
    add(out, "; {} players in flight until {}", settings.concurrency,
        word_for(settings.until, kUntils));
  }
  if (settings.sources > 1) add(out, ", {} source addresses", settings.sources);
  add(out, "{}\n", report.interrupted ? "; ended by a signal" : "");
}

void add_clients(Buffer& out, std::string_view name, const ClientCounts& clients) {
  if (clients.started == 0) return;
  add(out, "{:<10}{} started, {} served, {} lost", name, clients.started, clients.served,
      clients.lost);
  if (clients.wrong > 0) add(out, ", {} wrong", clients.wrong);
  if (clients.unfinished > 0) add(out, ", {} unfinished", clients.unfinished);
  add(out, "\n");
}

void add_traffic(Buffer& out, const Report& report) {
  const Settings& settings = report.settings;
  add(out, "time      {:.3f} s in all", report.seconds);
  if (report.window_seconds > 0) {
    add(out, ", {:.3f} s of it with all clients served", report.window_seconds);
  }
  add(out, "\n");
  if (settings.publish) add(out, "sent      {}\n", bitrate_text(report.bits_sent_per_second()));
  if (settings.play) add(out, "received  {}\n", bitrate_text(report.bits_received_per_second()));
  if (settings.churn) add(out, "rate      {:.0f} sessions/s\n", report.sessions_per_second());
}

void add_frames(Buffer& out, std::string_view name, const FrameCounts& frames) {
  if (frames.received == 0) return;
  add(out, "{:<10}{} frames, {} lost in {} gaps, {} duplicated, {} out of order\n", name,
      frames.received, frames.lost, frames.gaps, frames.duplicated, frames.out_of_order);
}

void add_oddities(Buffer& out, const Tally& tally) {
  const auto line = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) add(out, "noted     {:>8} {}\n", count, what);
  };
  line(tally.began_without_key, "players began with another frame than a key frame");
  line(tally.backward_timestamps, "timestamps before the last one");
  line(tally.new_publishers, "times a player went on with another publisher");
  line(tally.unmarked, "frames without a mark: of another publisher than mprtmp");
}

void add_latencies(Buffer& out, const Tally& tally) {
  add(out, "times in microseconds\n");
  load::add_latency_heading(out, kNameWidth);
  load::add_latency(out, kNameWidth, "connect", tally.connect);
  load::add_latency(out, kNameWidth, "accepted", tally.accepted);
  load::add_latency(out, kNameWidth, "started", tally.started);
  load::add_latency(out, kNameWidth, "first media", tally.first_media);
  load::add_latency(out, kNameWidth, "key frame", tally.first_key);
  load::add_latency(out, kNameWidth, "transit", tally.transit);
  load::add_latency(out, kNameWidth, "pause", tally.pause);
  load::add_latency(out, kNameWidth, "start", tally.lateness);
  load::add_latency(out, kNameWidth, "send", tally.send_lateness);
}

double bits_per_second(const Report& report, std::uint64_t Traffic::*bytes) {
  return report.window_seconds > 0
             ? 8 * load::per_second(report.tally.window.*bytes, report.window_seconds)
             : 8 * load::per_second(report.tally.total.*bytes, report.seconds);
}

}  // namespace

double Report::sessions_per_second() const {
  return settings.churn ? load::per_second(tally.players.served, seconds) : 0;
}

double Report::bits_sent_per_second() const {
  return bits_per_second(*this, &Traffic::bytes_sent);
}

double Report::bits_received_per_second() const {
  return bits_per_second(*this, &Traffic::bytes_received);
}

bool Report::passed() const {
  const auto well = [](const ClientCounts& clients) {
    return clients.lost == 0 && clients.wrong == 0;
  };
  return well(tally.publishers) && well(tally.players);
}

std::string text_report(const Report& report) {
  Buffer out;
  add_head(out, report);
  add_clients(out, "published", report.tally.publishers);
  add_clients(out, "played", report.tally.players);
  add_traffic(out, report);
  add_frames(out, "video", report.tally.video);
  add_frames(out, "audio", report.tally.audio);
  add_oddities(out, report.tally);
  add_latencies(out, report.tally);
  load::add_problems(out, problem_names(), report.tally.problems, report.tally.samples);
  load::add_own_load(out, "mprtmp", report.own_load, "share the clients among several mprtmp");
  return fmt::to_string(out);
}

}  // namespace mpb::rtmp_load
