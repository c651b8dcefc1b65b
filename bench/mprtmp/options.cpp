#include "bench/mprtmp/options.hpp"

#include <fmt/format.h>

namespace mpb::rtmp_load {
namespace {

constexpr std::uint64_t kDefaultConcurrency = 16;

Status check_load(const OptionLine& line, Settings& settings) {
  if (!settings.publish && !settings.play && !settings.churn) {
    return usage_error("one of --publish, --play and --churn is needed; --help says more");
  }
  if (settings.churn) {
    if (settings.concurrency == 0) settings.concurrency = kDefaultConcurrency;
    return line.forbid("--churn", {"hold", "play"});
  }
  if (auto well = line.forbid("players that stay", {"concurrency", "until"}); !well) return well;
  if (!settings.play) return line.forbid("--publish alone", {"clients"});
  if (settings.clients == 0) {
    return usage_error("--play: --clients is needed: how many players");
  }
  if (settings.clients > kMaxAtOnce) {
    return usage_error(fmt::format("--clients: at most {} players that stay", kMaxAtOnce));
  }
  return {};
}

Status check_streams(const Settings& settings) {
  const StreamNames& names = settings.names;
  if (names.vhosts > 1 && names.vhost.find("%d") == std::string::npos) {
    return usage_error("--vhost: several vhosts need a %d in their name");
  }
  if (std::uint64_t{names.vhosts} * names.streams > kMaxStreams) {
    return usage_error(fmt::format("--vhosts times --streams is more than {}", kMaxStreams));
  }
  if (!settings.publish) return {};
  const auto stream = SyntheticStream::create(settings.shape);
  if (!stream) return stream.error();
  return {};
}

Status settle(const OptionLine& line, Settings& settings) {
  if (auto found = settle_target(settings, line, {2},
                                 "give HOST PORT, or --connect ENDPOINT; --help says more");
      !found) {
    return found;
  }
  if (settings.target.family() == AF_UNIX) {
    return usage_error("--connect: RTMP goes over TCP, not over a unix socket");
  }
  if (auto well = check_load(line, settings); !well) return well;
  if (auto well = check_streams(settings); !well) return well;
  if (!line.has("sources")) settings.sources = sources_needed(settings);
  return load::check_sources(settings, line);
}

}  // namespace

Result<ProgramLine<Settings>> read_command_line(const std::vector<std::string>& arguments) {
  auto read = read_program_line(program(), arguments);
  if (!read || !read->print.empty()) return read;
  if (const Status settled = settle(read->line, read->settings); !settled) return settled.error();
  return read;
}

}  // namespace mpb::rtmp_load
