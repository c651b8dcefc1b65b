#include "bench/mpclient/options.hpp"

#include <fmt/format.h>

#include <limits>

#include "bench/common/common_options.hpp"
#include "bench/common/option_reader.hpp"
#include "bench/mpclient/options_list.hpp"
#include "common/base/units.hpp"

namespace mpb::load {
namespace {

constexpr std::int64_t kMaxClients = 1'000'000'000;
constexpr std::int64_t kMaxConcurrency = 1'000'000;
constexpr std::int64_t kMaxThreads = 256;
constexpr std::string_view kDefaultConcurrency = "64";

void read_target(OptionReader& reader, const Positional& positional, Settings& settings) {
  if (!reader.has("connect") && positional.size() != 2 && positional.size() != 4) {
    return reader.fail(usage_error(
        "give HOST PORT, or HOST PORT CLIENTS SLEEP_MS, or --connect ENDPOINT; --help says more"));
  }
  read_target_address(reader, positional, settings.target);
}

void read_paced_positionals(OptionReader& reader, const Positional& positional,
                            Settings& settings) {
  constexpr std::int64_t kMaxSleepMs = 86'400'000;
  const auto clients = parse_integer(positional[2], 1, kMaxConcurrency);
  if (!clients) return reader.fail(usage_error("CLIENTS: " + clients.error().text));
  const auto sleep = parse_integer(positional[3], 0, kMaxSleepMs);
  if (!sleep) return reader.fail(usage_error("SLEEP_MS: " + sleep.error().text));
  settings.clients = static_cast<std::uint64_t>(*clients);
  settings.interval = Duration{*sleep};
  reader.forbid("CLIENTS SLEEP_MS", {"clients", "interval"});
}

void read_mode(OptionReader& reader, bool paced, Settings& settings) {
  if (paced || reader.has("interval")) {
    settings.mode = Mode::kPaced;
    reader.forbid("clients that send at an interval",
                  {"rate", "concurrency", "hold", "storm", "messages"});
  } else if (reader.flag("storm")) {
    settings.mode = Mode::kStorm;
    reader.forbid("--storm", {"rate", "concurrency", "duration"});
  } else if (reader.has("hold")) {
    settings.mode = Mode::kHold;
    reader.forbid("--hold", {"rate", "concurrency", "duration"});
  } else if (reader.has("rate")) {
    settings.mode = Mode::kOpen;
  } else if (settings.concurrency == 0) {
    settings.concurrency =
        static_cast<std::uint64_t>(*parse_integer(kDefaultConcurrency, 1, kMaxConcurrency));
  }
  if (keeps_clients(settings.mode) && settings.clients == 0) {
    reader.fail(usage_error("--clients is needed: how many clients to keep connected"));
  }
}

void read_load(OptionReader& reader, Settings& settings) {
  reader.read_integer("clients", settings.clients, 1, kMaxClients);
  reader.read_integer("concurrency", settings.concurrency, 1, kMaxConcurrency);
  reader.read_integer("threads", settings.threads, 1, kMaxThreads);
  reader.read("rate", settings.rate, parse_rate);
  reader.read_duration("duration", settings.duration);
  reader.read_duration("hold", settings.hold);
  reader.read_duration("interval", settings.interval);
  reader.read_duration("timeout", settings.timeout);
}

void read_client(OptionReader& reader, Settings& settings) {
  std::uint64_t seed = 0;
  reader.read_integer("seed", seed, 0, std::numeric_limits<std::int64_t>::max());
  reader.read("ids", settings.ids,
              [&](std::string_view text) { return IdSource::parse(text, seed); });
  settings.ids_text = reader.text("ids");
  reader.read_integer("messages", settings.script.messages, 0, kMaxClients);
  reader.read("message-size", settings.message_size,
              [](std::string_view text) -> Result<std::uint64_t> {
                const auto size = parse_size(text);
                if (size && *size > kMaxMessage) {
                  return usage_error(fmt::format("'{}' is more than {} bytes", text, kMaxMessage));
                }
                return size;
              });
  settings.verify = reader.flag("verify");
  settings.script.ask_who = settings.verify || reader.flag("who");
  settings.allow_busy = reader.flag("allow-busy");
}

Result<Settings> read_settings(const Arguments& arguments) {
  const Positional& positional = arguments.positional;
  OptionReader reader(arguments.values);
  Settings settings;
  read_target(reader, positional, settings);
  read_load(reader, settings);
  read_client(reader, settings);
  if (positional.size() == 4) read_paced_positionals(reader, positional, settings);
  read_mode(reader, positional.size() == 4, settings);
  read_close(reader, settings.reset_on_close);
  settings.sources = sources_needed(settings);
  read_sources(reader, settings.target, settings.sources);
  if (reader.has("json")) settings.json_file = reader.text("json");
  if (!reader.status()) return reader.status().error();
  return settings;
}

}  // namespace

Result<CommandLine> read_command_line(const std::vector<std::string>& arguments) {
  const auto parsed =
      parse_arguments(arguments, visible_options(), 4,
                      "at most four arguments without a name: HOST PORT CLIENTS SLEEP_MS");
  if (!parsed) return parsed.error();
  if (parsed->help || parsed->version) return CommandLine{parsed->help, parsed->version, {}};
  const auto settings = read_settings(*parsed);
  if (!settings) return settings.error();
  return CommandLine{false, false, *settings};
}

}  // namespace mpb::load
