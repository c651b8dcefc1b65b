#include "bench/mpclient/options.hpp"

namespace mpb::load {
namespace {

constexpr std::uint64_t kDefaultConcurrency = 64;

Status read_paced_arguments(const OptionLine& line, Settings& settings) {
  constexpr std::int64_t kMaxSleepMs = 86'400'000;
  const auto clients = read_integer(line.arguments[2], 1, kMaxConcurrency);
  if (!clients) return usage_error("CLIENTS: " + clients.error().text);
  const auto sleep = read_integer(line.arguments[3], 0, kMaxSleepMs);
  if (!sleep) return usage_error("SLEEP_MS: " + sleep.error().text);
  settings.clients = static_cast<std::uint64_t>(*clients);
  settings.interval = Duration{*sleep};
  return line.forbid("CLIENTS SLEEP_MS", {"clients", "interval"});
}

Status choose_mode(const OptionLine& line, Settings& settings) {
  if (line.arguments.size() == 4 || line.has("interval")) {
    settings.mode = Mode::kPaced;
    return line.forbid("clients that send at an interval",
                       {"rate", "concurrency", "hold", "storm", "messages"});
  }
  if (settings.storm) {
    settings.mode = Mode::kStorm;
    return line.forbid("--storm", {"rate", "concurrency", "duration"});
  }
  if (line.has("hold")) {
    settings.mode = Mode::kHold;
    return line.forbid("--hold", {"rate", "concurrency", "duration"});
  }
  if (line.has("rate")) {
    settings.mode = Mode::kOpen;
  } else if (settings.concurrency == 0) {
    settings.concurrency = kDefaultConcurrency;
  }
  return {};
}

Status settle(const OptionLine& line, Settings& settings) {
  if (auto found = settle_target(
          settings, line, {2, 4},
          "give HOST PORT, or HOST PORT CLIENTS SLEEP_MS, or --connect ENDPOINT; --help says more");
      !found) {
    return found;
  }
  if (line.arguments.size() == 4) {
    if (auto read = read_paced_arguments(line, settings); !read) return read;
  }
  if (auto chosen = choose_mode(line, settings); !chosen) return chosen;
  if (keeps_clients(settings.mode) && settings.clients == 0) {
    return usage_error("--clients is needed: how many clients to keep connected");
  }
  if (!line.has("sources")) settings.sources = sources_needed(settings);
  return check_sources(settings, line);
}

}  // namespace

Result<ProgramLine<Settings>> read_command_line(const std::vector<std::string>& arguments) {
  auto read = read_program_line(program(), arguments);
  if (!read || !read->print.empty()) return read;
  if (const Status settled = settle(read->line, read->settings); !settled) return settled.error();
  return read;
}

}  // namespace mpb::load
