#include "mpctl/options_list.hpp"

#include <limits>

#include "common/config/option_values.hpp"

namespace mpb::ctl {
namespace {

constexpr std::string_view kGroup = "Options";
constexpr std::int64_t kMaxCount = std::numeric_limits<std::int32_t>::max();

Result<Duration> read_interval(std::string_view text) {
  constexpr Duration kShortest{100};
  const auto interval = read_duration(text, false);
  if (interval && *interval < kShortest) return usage_error("expected at least 100ms");
  return interval;
}

Status read_timeout(GivenOptions& given, std::string_view text) {
  constexpr Duration kLongest{60'000};
  const auto timeout = read_duration(text, false);
  if (!timeout) return timeout.error();
  if (*timeout < Duration{1} || *timeout > kLongest) return usage_error("expected 1ms to 1m");
  given.words.timeout = *timeout;
  return {};
}

Result<std::string> read_any(std::string_view text) {
  return std::string(text);
}

Result<Duration> read_ttl(std::string_view text) {
  constexpr Duration kLongest{std::numeric_limits<std::uint32_t>::max()};
  const auto ttl = read_duration(text, false);
  if (ttl && *ttl > kLongest) return usage_error("expected at most 49d");
  return ttl;
}

Status add_unset(GivenOptions& given, std::string_view key) {
  given.words.unset.emplace_back(key);
  return {};
}

using G = GivenOptions;

constexpr Option<G> kOptions[] = {
    {{"control-socket", kGroup, "PATH", "",
      "$MPBROKER_CONTROL_SOCKET, else /run/mpbroker/control.sock", "the broker's control socket"},
     into<Text<read_socket_path>, &G::options, &Options::socket>},
    {{"json", kGroup, "", "", "", "print the broker's answers as they came: JSON, one per line"},
     into<Switch, &G::options, &Options::json>},
    {{"interval", kGroup, "TIME", "1s", "", "watch: time between two tables, from 100ms"},
     into<Value<read_interval>, &G::options, &Options::interval>},
    {{"count", kGroup, "N", "", "without end", "watch: end after N tables"},
     into<Whole<1, kMaxCount>, &G::options, &Options::count>},
    {{"remove", kGroup, "KEY", "", "",
      "route: take the pin of KEY away; vhost: take the vhost KEY away; deny, allow: take the "
      "network KEY off the list"},
     into<Text<read_any>, &G::words, &RequestWords::remove>},
    {{"unset", kGroup, "KEY", "", "", "vhost: give KEY its default; may be repeated"},
     add_unset,
     true},
    {{"for", kGroup, "TIME", "", "for ever",
      "deny, allow, table put: the entry goes by itself after TIME"},
     into<Value<read_ttl>, &G::words, &RequestWords::ttl>},
    {{"listener", kGroup, "NAME", "", "for all",
      "route: only for listeners of this one's protocol; send, ask: whose key it is"},
     into<Text<read_any>, &G::words, &RequestWords::listener>},
    {{"timeout", kGroup, "TIME", "1s", "", "ask: how long to wait for answers, up to 1m"},
     read_timeout},
    help_option<G>(kGroup),
    version_option<G>(kGroup),
};

constexpr std::string_view kUsage =
    "Usage: mpctl [--control-socket PATH] COMMAND\n"
    "\n"
    "Shows and steers a running mpbroker.\n"
    "\n"
    "Commands:\n"
    "  status                      listeners, workers and what they count\n"
    "  watch                       the same, live, with rates\n"
    "  metrics                     the same as OpenMetrics text, for Prometheus\n"
    "  health                      one line, and an exit status for probes\n"
    "  streams                     the live streams of all workers\n"
    "  upstreams                   the servers that clients are forwarded to\n"
    "  hooks                       what workers asked web servers, and how it went\n"
    "  kick VHOST/APP/STREAM       close the publisher and the players of a stream\n"
    "  send WORKER|all|KEY TOPIC TEXT  a letter to a worker, all, or the owner of a key\n"
    "  ask WORKER|all|KEY TOPIC TEXT   the same, and print the answers\n"
    "  events                      what happens from now on, one line each\n"
    "  drain SLOT                  no new clients for a worker; it ends when empty\n"
    "  route KEY=SLOT[,SLOT...]    pin a key to a worker, or to a set of them\n"
    "  route --remove KEY          take the pin away\n"
    "  workers N                   set the number of base workers\n"
    "  vhost NAME KEY=VALUE...     set keys of a vhost, which is made if need be;\n"
    "                              a reload brings back what the file says\n"
    "  vhost NAME --unset KEY      give a key its default\n"
    "  vhost --remove NAME         take it away\n"
    "  deny NETWORK [--for TIME]   refuse the clients of an address or network; alone: who\n"
    "                              is denied; --remove NETWORK: take it off the list\n"
    "  allow NETWORK [--for TIME]  the same of those who alone are served, if there are any\n"
    "  table                       the shared tables\n"
    "  table NAME                  what is in one\n"
    "  table NAME get KEY          the value of an entry; put KEY VALUE [--for TIME], del KEY:\n"
    "                              change it; watch [PREFIX]: changes from now on, a line each\n"
    "  reload                      read the configuration again\n"
    "  stop                        drain all workers, then end\n";
constexpr std::string_view kEnding =
    "\nExit status: 0 done, 1 the broker refused or cannot be reached, 2 wrong usage.\n"
    "ask: 1 also when somebody did not answer.\n"
    "health: 0 well, 1 something is wrong, 2 nobody is online or no answer.\n";

}  // namespace

const Program<GivenOptions>& program() {
  static constexpr Program<G> kProgram{"mpctl", kOptions, kUsage, kEnding, kAnyArguments};
  return kProgram;
}

}  // namespace mpb::ctl
