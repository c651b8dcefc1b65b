// Names, defaults, bounds and explanations of mpclient's options.
#include <fmt/format.h>

#include <limits>

#include "bench/mpclient/options.hpp"
#include "bench/mpclient/request.hpp"

namespace mpb::load {
namespace {

constexpr std::string_view kLoad = "Load: closed loop, unless one of the others is asked for";
constexpr std::string_view kClient = "Each client";
constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr std::int64_t kMaxThreads = 256;

/// --seed has been read: it stands before --ids in the table.
Status set_ids(Settings& settings, std::string_view text) {
  auto ids = IdSource::parse(text, settings.seed);
  if (!ids) return ids.error();
  settings.ids = *ids;
  settings.ids_text = text;
  return {};
}

Result<std::uint64_t> read_message_size(std::string_view text) {
  const auto size = parse_size(text);
  if (size && *size <= kMaxMessage) return size;
  return usage_error(
      fmt::format("expected a size such as 20B or 1KiB of at most {} bytes", kMaxMessage));
}

Status set_verify(Settings& settings, std::string_view) {
  settings.verify = settings.script.ask_who = true;
  return {};
}

using S = Settings;

constexpr Option<S> kOptions[] = {
    {{"connect", kTargetGroup, "ENDPOINT", "", "",
      "instead of HOST PORT: 127.0.0.1:1990, [::1]:1990, localhost:1990 or unix:/path"},
     into<Value<read_target>, &S::target>},
    sources_option<S>(),
    close_option<S>(),

    {{"clients", kLoad, "N", "", "no bound; needed for the modes that keep them",
      "clients in total"},
     into<Whole<1, kMaxCount>, &S::clients>},
    {{"duration", kLoad, "TIME", "", "no bound", "start no client after this time"},
     into<TimeAbove0, &S::duration>},
    {{"concurrency", kLoad, "N", "", "64; open loop: what descriptors allow",
      "closed loop: clients in flight; open loop: at most so many"},
     into<Whole<1, kMaxConcurrency>, &S::concurrency>},
    {{"rate", kLoad, "R", "", "",
      "open loop: start R clients a second; latency counts from the intended start, so that "
      "waiting is not hidden"},
     into<Value<read_rate>, &S::rate>},
    {{"interval", kLoad, "TIME", "", "", "keep the clients, each sends a message every TIME"},
     into<TimeAbove0, &S::interval>},
    {{"hold", kLoad, "TIME", "", "",
      "keep the clients idle for TIME after their answer; with --storm: before they move"},
     into<TimeAbove0, &S::hold>},
    {{"storm", kLoad, "", "", "",
      "all clients connect at once; when all are answered, all move to another id at once"},
     into<Switch, &S::storm>},
    {{"threads", kLoad, "N", "1", "", "threads that share the clients"},
     into<Whole<1, kMaxThreads>, &S::threads>},

    {{"seed", kClient, "N", "1", "", "same seed, same ids"},
     into<Whole<0, std::numeric_limits<std::int64_t>::max()>, &S::seed>},
    {{"ids", kClient, "KIND", "seq", "",
      "the ids: uniform:N, zipf:N, zipf:N,S (exponent S, default 1), fixed:K, seq or seq:FIRST"},
     set_ids},
    {{"messages", kClient, "N", "0", "", "messages after the C, each waits for its answer"},
     into<Whole<0, kMaxCount>, &S::script, &Script::messages>},
    {{"message-size", kClient, "SIZE", "20B", "", "text of a message, at most 4096 bytes"},
     into<Value<read_message_size>, &S::message_size>},
    {{"who", kClient, "", "", "", "ask W behind each C: report the workers' shares"},
     into<Switch, &S::script, &Script::ask_who>},
    {{"verify", kClient, "", "", "",
      "as --who; also: clients of one id meet one worker while any of them lives"},
     set_verify},
    {{"timeout", kClient, "TIME", "10s", "", "for connecting, and for each answer"},
     into<TimeAbove0, &S::timeout>},
    {{"allow-busy", kClient, "", "", "", "a refused client is no failure"},
     into<Switch, &S::allow_busy>},

    json_option<S>(),
    help_option<S>(kOutputGroup),
    version_option<S>(kOutputGroup),
};

constexpr std::string_view kUsage =
    "mpclient HOST PORT CLIENTS SLEEP_MS\n"
    "mpclient HOST PORT | --connect ENDPOINT [options]\n"
    "\n"
    "Loads a server of the control protocol and reports what its clients met.\n"
    "HOST is an IPv4 or IPv6 address or localhost. The first form keeps CLIENTS clients, each\n"
    "sends a message every SLEEP_MS milliseconds, until a signal or --duration ends it.\n"
    "\n"
    "TIME is 200ms, 5s, 1m, 2h or 1d; SIZE is 512, 16KiB, ... Latencies are microseconds.\n";
constexpr std::string_view kEnding =
    "\nExit status: 0 all clients were served; 1 one was lost, wrongly answered or refused;\n"
    "2 the command line is wrong.\n";

}  // namespace

const Program<Settings>& program() {
  static constexpr Program<Settings> kProgram{
      "mpclient", kOptions, kUsage,
      kEnding,    4,        "at most four arguments without a name: HOST PORT CLIENTS SLEEP_MS"};
  return kProgram;
}

}  // namespace mpb::load
