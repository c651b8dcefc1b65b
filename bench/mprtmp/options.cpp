#include "bench/mprtmp/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "bench/common/common_options.hpp"
#include "bench/common/option_reader.hpp"
#include "proto/rtmp/location.hpp"

namespace mpb::rtmp_load {
namespace {

using load::OptionReader;

constexpr std::int64_t kMaxClients = 1'000'000'000;
constexpr std::int64_t kMaxAtOnce = 1'000'000;
constexpr std::int64_t kMaxStreams = 1'000'000;
constexpr std::int64_t kMaxFps = 240;
constexpr double kMaxBitrate = 1e9;
constexpr std::uint64_t kDefaultConcurrency = 16;
constexpr Duration kMaxGop{60'000};

/// "0", "500kbit", "2.5Mbit": bits a second.
Result<std::uint64_t> parse_bitrate(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, status] = std::from_chars(text.data(), end, value);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const double factor = unit == "bit" ? 1 : unit == "kbit" ? 1e3 : unit == "Mbit" ? 1e6 : 0;
  const bool zero = value == 0 && unit.empty();
  if (status != std::errc() || (factor == 0 && !zero) || !(value >= 0) ||
      value * factor > kMaxBitrate) {
    return usage_error(
        fmt::format("'{}' is not a bit rate such as 500kbit or 2.5Mbit, at most 1000Mbit", text));
  }
  return static_cast<std::uint64_t>(std::llround(value * factor));
}

Result<std::string> parse_part(std::string_view text) {
  if (text.empty() || text.size() > rtmp::kMaxName) {
    return usage_error(fmt::format("a name has 1 to {} bytes", rtmp::kMaxName));
  }
  return std::string(text);
}

void read_target(OptionReader& reader, const load::Positional& positional, Settings& settings) {
  const bool connect = reader.has("connect");
  if (!connect && positional.size() != 2) {
    return reader.fail(usage_error("give HOST PORT, or --connect ENDPOINT; --help says more"));
  }
  load::read_target_address(reader, positional, settings.target);
  if (connect && settings.target.family() == AF_UNIX) {
    reader.fail(usage_error("--connect: RTMP goes over TCP, not over a unix socket"));
  }
}

void read_streams(OptionReader& reader, Settings& settings) {
  StreamNames& names = settings.names;
  reader.read_integer("vhosts", names.vhosts, 1, kMaxStreams);
  reader.read_integer("streams", names.streams, 1, kMaxStreams);
  reader.read("vhost", names.vhost, parse_part);
  reader.read("app", names.app, parse_part);
  reader.read("stream", names.stream, parse_part);
  reader.read("vhost-form", names.form, parse_form);
  if (names.vhosts > 1 && names.vhost.find("%d") == std::string::npos) {
    reader.fail(usage_error("--vhost: several vhosts need a %d in their name"));
  }
  if (std::uint64_t{names.vhosts} * names.streams > kMaxStreams) {
    reader.fail(usage_error(fmt::format("--vhosts times --streams is more than {}", kMaxStreams)));
  }
}

void read_shape(OptionReader& reader, Settings& settings) {
  StreamShape& shape = settings.shape;
  reader.read("bitrate", shape.bitrate, parse_bitrate);
  reader.read("audio", shape.audio_bitrate, parse_bitrate);
  reader.read_integer("fps", shape.fps, 1, kMaxFps);
  reader.read_duration("gop", shape.gop);
  if (shape.gop > kMaxGop) {
    reader.fail(usage_error(fmt::format("--gop: at most {}", format_duration(kMaxGop))));
  }
  if (!reader.status() || !settings.publish) return;
  const auto stream = SyntheticStream::create(shape);
  if (!stream) reader.fail(stream.error());
}

void read_load(OptionReader& reader, Settings& settings) {
  settings.publish = reader.flag("publish");
  settings.play = reader.flag("play");
  settings.churn = reader.flag("churn");
  settings.digest = reader.flag("digest");
  reader.read_integer("clients", settings.clients, 1, settings.churn ? kMaxClients : kMaxAtOnce);
  reader.read_integer("concurrency", settings.concurrency, 1, kMaxAtOnce);
  reader.read("until", settings.until, parse_until);
  reader.read("rate", settings.rate, load::parse_rate);
  reader.read_duration("duration", settings.duration);
  reader.read_duration("hold", settings.hold);
  reader.read_duration("timeout", settings.timeout);
  if (!settings.publish && !settings.play && !settings.churn) {
    reader.fail(usage_error("one of --publish, --play and --churn is needed; --help says more"));
  }
  if (settings.churn) {
    reader.forbid("--churn", {"hold"});
    if (settings.play) reader.fail(usage_error("--churn does not go with --play"));
    if (settings.concurrency == 0) settings.concurrency = kDefaultConcurrency;
    return;
  }
  reader.forbid("players that stay", {"concurrency", "until"});
  if (settings.play && settings.clients == 0) {
    reader.fail(usage_error("--play: --clients is needed: how many players"));
  }
  if (!settings.play) reader.forbid("--publish alone", {"clients"});
}

Result<Settings> read_settings(const load::Arguments& arguments) {
  OptionReader reader(arguments.values);
  Settings settings;
  read_target(reader, arguments.positional, settings);
  read_load(reader, settings);
  read_streams(reader, settings);
  read_shape(reader, settings);
  load::read_close(reader, settings.reset_on_close);
  settings.sources = sources_needed(settings);
  load::read_sources(reader, settings.target, settings.sources);
  if (reader.has("json")) settings.json_file = reader.text("json");
  if (!reader.status()) return reader.status().error();
  return settings;
}

}  // namespace

Result<CommandLine> read_command_line(const std::vector<std::string>& arguments) {
  const auto parsed = load::parse_arguments(arguments, visible_options(), 2,
                                            "at most two arguments without a name: HOST PORT");
  if (!parsed) return parsed.error();
  if (parsed->help || parsed->version) return CommandLine{parsed->help, parsed->version, {}};
  const auto settings = read_settings(*parsed);
  if (!settings) return settings.error();
  return CommandLine{false, false, *settings};
}

}  // namespace mpb::rtmp_load
