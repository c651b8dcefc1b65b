#include "bench/mpclient/options.hpp"

#include <fmt/format.h>

#include <limits>

#include <boost/program_options.hpp>

#include "bench/common/connector.hpp"
#include "bench/common/option_reader.hpp"
#include "bench/mpclient/options_list.hpp"
#include "common/units.hpp"

namespace mpb::load {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t kMaxClients = 1'000'000'000;
constexpr std::int64_t kMaxConcurrency = 1'000'000;
constexpr std::int64_t kMaxThreads = 256;
constexpr std::string_view kDefaultConcurrency = "64";

using Positional = std::vector<std::string>;

void read_target(OptionReader& reader, const Positional& positional, Settings& settings) {
  if (reader.has("connect")) {
    if (!positional.empty()) {
      return reader.fail(usage_error("--connect takes the place of HOST PORT: give one of them"));
    }
    return reader.read("connect", settings.target, parse_target);
  }
  if (positional.size() != 2 && positional.size() != 4) {
    return reader.fail(usage_error(
        "give HOST PORT, or HOST PORT CLIENTS SLEEP_MS, or --connect ENDPOINT; --help says more"));
  }
  const auto target = parse_host_port(positional[0], positional[1]);
  if (!target) return reader.fail(target.error());
  settings.target = *target;
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

void read_close_and_sources(OptionReader& reader, Settings& settings) {
  const std::string& how = reader.text("close");
  settings.reset_on_close = how == "rst";
  if (how != "fin" && how != "rst") {
    reader.fail(usage_error(fmt::format("--close: '{}' is neither fin nor rst", how)));
  }
  if (!reader.has("sources")) {
    settings.sources = sources_needed(settings);
    return;
  }
  reader.read_integer("sources", settings.sources, 1, kMaxSources);
  if (!is_ipv4_loopback(settings.target)) {
    reader.fail(usage_error("--sources goes with a target in 127.0.0.0/8 only"));
  }
}

Result<Settings> read_settings(const po::variables_map& values, const Positional& positional) {
  OptionReader reader(values);
  Settings settings;
  read_target(reader, positional, settings);
  read_load(reader, settings);
  read_client(reader, settings);
  if (positional.size() == 4) read_paced_positionals(reader, positional, settings);
  read_mode(reader, positional.size() == 4, settings);
  read_close_and_sources(reader, settings);
  if (values.count("json") > 0) settings.json_file = reader.text("json");
  if (!reader.status()) return reader.status().error();
  return settings;
}

}  // namespace

Result<CommandLine> read_command_line(const std::vector<std::string>& arguments) {
  po::options_description all = visible_options();
  all.add_options()("positional", po::value<Positional>());
  po::positional_options_description order;
  order.add("positional", 4);
  po::variables_map values;
  try {
    po::store(
        po::command_line_parser(arguments).options(all).positional(order).style(kOptionStyle).run(),
        values);
  } catch (const po::too_many_positional_options_error&) {
    return usage_error("at most four arguments without a name: HOST PORT CLIENTS SLEEP_MS");
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
  CommandLine line;
  line.help = values["help"].as<bool>();
  line.version = values["version"].as<bool>();
  if (line.help || line.version) return line;
  const Positional none;
  const auto settings = read_settings(
      values, values.count("positional") > 0 ? values["positional"].as<Positional>() : none);
  if (!settings) return settings.error();
  line.settings = *settings;
  return line;
}

}  // namespace mpb::load
