#include "common/config/option_table.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "common/config/listen_names.hpp"
#include "common/config/option_values.hpp"
#include "common/config/routing_words.hpp"
#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

constexpr std::array<Choice<KeyGranularity>, 3> kGranularities{
    {{"vhost", KeyGranularity::kVhost},
     {"vhost/app", KeyGranularity::kApp},
     {"vhost/app/stream", KeyGranularity::kStream}}};
constexpr std::array<Choice<ClientPrefix>, 3> kClientPrefixes{
    {{"none", ClientPrefix::kNone},
     {"proxy", ClientPrefix::kProxy},
     {"srs-real-ip", ClientPrefix::kSrsRealIp}}};
constexpr std::array<Choice<Sandbox>, 2> kSandboxes{
    {{"strict", Sandbox::kStrict}, {"no", Sandbox::kNo}}};
constexpr std::array<Choice<Spawn>, 3> kSpawns{
    {{"auto", Spawn::kAuto}, {"zygote", Spawn::kZygote}, {"exec", Spawn::kExec}}};
constexpr std::array<Choice<OnBrokerDeath>, 2> kBrokerDeaths{
    {{"drain", OnBrokerDeath::kDrain}, {"serve", OnBrokerDeath::kServe}}};
constexpr std::array<Choice<LogLevel>, 5> kLogLevels{{{"debug", LogLevel::kDebug},
                                                      {"info", LogLevel::kInfo},
                                                      {"warning", LogLevel::kWarning},
                                                      {"error", LogLevel::kError},
                                                      {"off", LogLevel::kOff}}};

/// mpctl waits a little longer than the most.
Result<Duration> read_answer_timeout(std::string_view value) {
  constexpr Duration kMost{60'000};
  const auto duration = read_duration(value, false);
  if (duration && *duration > kMost) return usage_error("expected a time of at most 1m");
  return duration;
}

Status set_listen(OptionTarget target, std::string_view value) {
  const auto endpoint = parse_endpoint(value);
  if (!endpoint && !is_listen_name(value)) {
    return usage_error(
        "expected an address such as 127.0.0.1:1990, [::1]:1990, localhost:1990, :1990, unix:/path "
        "(at most 107 bytes) or unix:@name");
  }
  target.listener->listen = value;
  target.listener->endpoints.clear();
  if (endpoint) target.listener->endpoints.push_back(*endpoint);
  return {};
}

Status add_variable(OptionTarget target, std::string_view value) {
  auto variable = read_variable(value);
  if (!variable) return variable.error();
  target.settings.worker_environment.push_back(*std::move(variable));
  return {};
}

Status add_pin(OptionTarget target, std::string_view value) {
  auto pin = read_pin(value);
  if (!pin) return pin.error();
  target.listener->pins.push_back(*std::move(pin));
  return {};
}

using L = ListenerSettings;
using S = Settings;
constexpr auto kListener = OptionScope::kListener;
constexpr auto kGlobal = OptionScope::kGlobal;
constexpr OptionUse kOnCommandLine{OptionScope::kCommandLine};
constexpr std::string_view kListeners = "Listener";
constexpr std::string_view kWorkers = "Workers";
constexpr std::string_view kClients = "Clients";
constexpr std::string_view kOperation = "Operation";
constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr std::int64_t kMaxFailures = 1'000'000;
constexpr std::int64_t kMaxKeys = 100'000'000;

// The defaults are those of common/config/settings.hpp; the tests compare the two.
constexpr OptionSpec kTable[] = {
    {{"listen", kListeners, "ADDRESS", "", "",
      "where clients arrive: 127.0.0.1:1990, [::1]:1990, :1990 (every IPv4 address), HOST:1990 "
      "(all "
      "addresses that the name has), unix:/path or unix:@name (an abstract name); must be given"},
     {kListener, set_listen},
     "Port 0: the kernel chooses one.",
     "127.0.0.1:1990"},
    {{"protocol", kListeners, "NAME", "control", "",
      "how clients say whom they belong to: control, ping or rtmp, or what the worker program "
      "knows"},
     to<Text<read_name>, &L::protocol>},
    {{"handler", kListeners, "NAME", "", "the protocol's own",
      "what serves the clients: echo; for rtmp relay (a live server) or forward (to other "
      "servers); "
      "or what the worker program knows"},
     to<Text<read_name>, &L::handler>,
     "",
     "echo"},
    {{"policy", kListeners, "POLICY", "least", "",
      "which worker gets a key that has no owner: least (loaded), hash (rendezvous), p2c (the less "
      "loaded of two) or local (the one that accepted the client)"},
     to<Word<kPolicies>, &L::policy>},
    {{"sticky", kListeners, "yes|no", "yes", "", "all clients of a key meet the same worker"},
     to<YesNo, &L::sticky>},
    {{"overflow", kListeners, "spill|refuse", "", "refuse for rtmp, spill for others",
      "a client whose owner is full goes to another worker, or is refused"},
     to<Word<kOverflows>, &L::overflow>,
     "A stream of RTMP is in its owner alone.",
     "spill"},
    {{"isolate", kListeners, "no|key|client", "no", "",
      "where the boundary of a process runs: no: keys share workers; key: each key that has "
      "clients "
      "has a worker of its own; client: each client has"},
     to<Word<kIsolations>, &L::isolate>,
     "Such workers are started when they are needed, up to max-workers in all, and end when the "
     "key "
     "is idle or the client has left. A key with a route is not isolated."},
    {{"isolate-overflow", kListeners, "share|refuse", "share", "",
      "with isolate, when max-workers are running: a client that should get a worker of its own is "
      "served by the others, or refused"},
     to<Word<kIsolateOverflows>, &L::isolate_overflow>},
    {{"rollover", kListeners, "TIME", "0", "",
      "with isolate = key, a worker of a key that is older is renewed: it ends as soon as it has "
      "no "
      "clients, and the key's next client gets another one; 0: never"},
     to<Time, &L::rollover>,
     "Clients of a key meet, so those who come while it has some go there still."},
    {{"route", kListeners, "KEY=SLOT[,SLOT...]", "", "no key is pinned",
      "clients of KEY go to these worker slots only; KEY * stands for every key without a route of "
      "its own; may be repeated"},
     {kListener, add_pin},
     "Slots count from 0.",
     "7=0",
     true},
    {{"key", kListeners, "vhost|vhost/app|vhost/app/stream", "vhost", "",
      "for rtmp, what belongs together in one worker: all streams of a vhost, those of an app, or "
      "each stream by itself"},
     to<Word<kGranularities>, &L::key>,
     "Listeners whose clients are to meet need the same."},
    {{"prefix", kListeners, "none|proxy|srs-real-ip", "none", "",
      "for rtmp, what a proxy sends first to tell the client's address: proxy (the PROXY protocol, "
      "which every client must then begin with) or srs-real-ip"},
     to<Word<kClientPrefixes>, &L::prefix>,
     "The PROXY protocol may be of version 1 or 2. With prefix-from only."},
    {{"prefix-from", kListeners, "NETWORK[,NETWORK...]", "", "none",
      "with prefix, whose word counts: the addresses of the proxies, such as 192.0.2.1,10.0.0.0/8; "
      "unix: for all clients of a unix socket; all for everybody. Others who send one are refused"},
     to<Value<read_prefix_from>, &L::prefix_from>,
     "",
     "192.0.2.1, 10.0.0.0/8"},
    {{"backlog", kListeners, "N", "4096", "",
      "connections that may wait to be accepted; the kernel caps it at net.core.somaxconn"},
     to<Whole<1, 65535>, &L::backlog>,
     "1 to 65535."},
    {{"mode", kListeners, "OCTAL", "0666", "", "permissions of a unix socket"},
     to<Value<read_mode>, &L::mode>},
    {{"keepalive", kListeners, "IDLE[:INTERVAL[:COUNT]]|no", "60s:15s:4", "",
      "a client of TCP that was silent for IDLE is asked every INTERVAL if it is still there, and "
      "closed after COUNT questions without an answer"},
     to<Value<read_keepalive>, &L::keepalive>,
     "Times are whole seconds. One that takes no data for IDLE + COUNT * INTERVAL is closed, too, "
     "unless send-timeout is 0."},

    {{"workers", kWorkers, "N", "2", "", "workers that are always there; 0: a single process"},
     to<Whole<0, kMaxWorkers>, &S::workers>,
     "At most 4000."},
    {{"max-workers", kWorkers, "N", "", "as many as workers",
      "extra workers are started on demand up to this number in all"},
     to<Whole<0, kMaxWorkers>, &S::max_workers>,
     "At least workers, at most 4000.",
     "4"},
    {{"spare-workers", kWorkers, "N", "0", "",
      "with isolate, workers that wait ready for a key or a client, which then waits for no start"},
     to<Whole<0, kMaxWorkers>, &S::spare_workers>,
     "They count among max-workers. One that is taken is replaced once it has its client."},
    {{"max-failures", kWorkers, "N", "0", "",
      "with isolate = key, a key whose workers crash so often in a row, each within 10s, is closed "
      "for recovery-time: its clients are refused; 0: never"},
     to<Whole<0, kMaxFailures>, &S::max_failures>,
     "Without it each crash delays the key's next worker, by 5s at most."},
    {{"recovery-time", kWorkers, "TIME", "5m", "", "how long such a key is closed; above 0"},
     to<TimeAbove0, &S::recovery_time>,
     "After that its count begins anew."},

    {{"acceptors", kWorkers, "auto|N", "auto", "",
      "how many workers accept clients, which the others get from them. auto: as many as there are "
      "CPUs, at least two, and others in the place of those that go; with policy = local all"},
     to<Value<read_acceptors>, &S::acceptors>,
     "N, from 1 to workers, are slots 0 to N-1, whatever becomes of these."},
    {{"max-clients", kWorkers, "N", "0", "",
      "soft limit of clients per worker; 0: none, or with max-workers above workers what "
      "descriptors allow"},
     to<Whole<0, kMaxCount>, &S::max_clients>,
     "That is seven eighths of those that a worker has for clients. A worker at its limit offers "
     "what it accepts to the others, and refuses what it is sent."},
    {{"grow-at", kWorkers, "PERCENT", "100", "",
      "start another worker when every worker has this share of max-clients"},
     to<Whole<1, 100>, &S::grow_at>,
     "1 to 100."},
    {{"linger", kWorkers, "TIME", "30s", "",
      "an extra worker that was empty for so long is retired"},
     to<Time, &S::linger>},
    {{"key-linger", kWorkers, "TIME", "1s", "",
      "a key keeps its owner so long after its last client"},
     to<Time, &S::key_linger>},
    {{"drain-timeout", kWorkers, "TIME", "30s", "",
      "a worker told to drain ends after so long even if it has clients"},
     to<Time, &S::drain_timeout>},
    {{"start-timeout", kWorkers, "TIME", "10s", "",
      "a worker that is not ready after so long has failed to start"},
     to<TimeAbove0, &S::start_timeout>,
     "Above 0."},
    {{"ping-interval", kWorkers, "TIME", "1s", "", "a worker is asked so often if it lives"},
     to<TimeAbove0, &S::ping_interval>,
     "Above 0."},
    {{"ping-limit", kWorkers, "TIME", "5s", "",
      "a worker that gave no answer for so long is killed and started again"},
     to<TimeAbove0, &S::ping_limit>,
     "So is one that owes an answer for a client sent to it. Above ping-interval."},
    {{"answer-timeout", kWorkers, "TIME", "2s", "",
      "an operator's question is answered without workers that took longer; at most 1m"},
     to<Value<read_answer_timeout>, &S::answer_timeout>,
     "Questions are those of mpctl streams, upstreams, hooks and kick. Above 0."},
    {{"worker-program", kWorkers, "PATH", "", "mpworker beside mpbroker, else in PATH",
      "the program that workers run"},
     to<Text<read_path>, &S::worker_program>,
     "",
     "/usr/local/bin/my-worker"},
    {{"user", kWorkers, "NAME|FIRST..LAST", "", "unchanged",
      "workers run as this user, or each as its own: 60600..60663, or mpbroker-0..mpbroker-15"},
     to<Text<read_account>, &S::user>,
     "Numbers need no account. A range has an account for each worker there may be, and neither "
     "root nor mpbroker's own.",
     "60600..60663"},
    {{"group", kWorkers, "NAME|FIRST..LAST", "",
      "the user's own, or the number of a user that is a number of a range",
      "workers run as this group, or each as its own"},
     to<Text<read_account>, &S::group>,
     "",
     "60600..60663"},
    {{"worker-environment", kWorkers, "NAME[=VALUE]", "", "none but what all are given",
      "an environment variable that workers have, too: as mpbroker has it, or with this value; may "
      "be repeated"},
     {kGlobal, add_variable},
     "All are given PATH, HOME, USER, LOGNAME, SHELL, TMPDIR, TERM, LANG, LANGUAGE, LC_*, TZ, "
     "JOURNAL_STREAM, LD_LIBRARY_PATH, LD_PRELOAD, GLIBC_TUNABLES, MALLOC_*, those of sanitizers, "
     "and what mpbroker tells them itself (MPBROKER_*).",
     "PYTHONPATH",
     true},
    {{"sandbox", kWorkers, "MODE", "strict", "",
      "strict: a worker keeps nothing that its handlers do not need, not even to be taken over "
      "with; "
      "no: it may do what its user may"},
     to<Word<kSandboxes>, &S::sandbox>,
     "That goes for other processes, system calls, files and connections. What the kernel does not "
     "give is told of once, at the start. no is for worker programs that strict is too strict for "
     "(those that call sudo, or trace others), and for core dumps where the kernel has no "
     "Landlock."},
    {{"spawn", kWorkers, "MODE", "auto", "",
      "how workers start. zygote: forked, which is cheap, by a process of the worker program that "
      "serves nobody; exec: each by itself; auto: zygote where max-workers is above workers"},
     to<Word<kSpawns>, &S::spawn>,
     "Where it cannot be had, workers are started by exec: with a user for each slot, by worker "
     "programs that do not know it (auto tries them once), and while the zygote is not there. "
     "Workers that are forked have the same addresses in memory (docs/security.md)."},
    {{"guard", kWorkers, "yes|no", "yes", "",
      "mpbroker runs under mpguard, which keeps its descriptors and starts it again when it dies "
      "or "
      "hangs: nobody notices. no: its death ends the service"},
     to<YesNo, &S::guard>,
     "A service manager that keeps them itself (the systemd unit that comes along) takes mpguard's "
     "place. The process that was started is mpguard then: it passes signals on, and ends as "
     "mpbroker does. A reload does not change it."},
    {{"on-broker-death", kWorkers, "MODE", "drain", "",
      "what workers do when mpbroker has died and nothing starts it again. drain: they end with "
      "their last client, and after drain-timeout; serve: with their last client"},
     to<Word<kBrokerDeaths>, &S::on_broker_death>,
     "They accept nobody then. Where a guard or systemd keeps their channels, workers go on under "
     "the mpbroker that is started next, and drain only when that service is over."},
    {{"workers-deny", kWorkers, "yes|no", "no", "",
      "workers may change the shared tables deny and allow, as mpctl may"},
     to<YesNo, &S::workers_deny>,
     "A worker that a client has taken over could then keep everybody away."},
    {{"max-keys", kWorkers, "N", "4000000", "", "keys with an owner at once"},
     to<Whole<1, kMaxKeys>, &S::max_keys>,
     "1 to 100000000."},
    {{"gop-memory", kWorkers, "SIZE", "0", "",
      "what a worker may keep of its streams for players to begin with, beside the bound of each "
      "stream: 512MiB, 4GiB; 0: no bound"},
     to<Size, &S::gop_memory>,
     "At the bound the streams that keep most give it up first, and begin anew with their next key "
     "frame. The bound of each stream is 64 MiB."},
    {{"media-memory", kWorkers, "SIZE", "512MiB", "",
      "what a worker may hold for its clients in all, of their streams and of what is on its way "
      "to "
      "and from them: those with the most give up some of it; 0: no bound"},
     to<Size, &S::media_memory>,
     "Each vhost and each client counts by itself. First goes what they keep for players to begin "
     "with, then what players that lag have yet to get, then the client."},

    {{"silence-timeout", kClients, "TIME", "60s", "",
      "from a client's connection until its first byte; 0: no limit"},
     to<Time, &S::silence_timeout>,
     "Where a worker has no descriptor left, clients that have said nothing yet make room for "
     "others before that, the oldest first."},
    {{"header-timeout", kClients, "TIME", "10s", "",
      "from a client's first byte until its key is known; 0: no limit"},
     to<Time, &S::header_timeout>},
    {{"idle-timeout", kClients, "TIME", "0", "",
      "a client that sent nothing for so long is closed; 0: no limit"},
     to<Time, &S::idle_timeout>},
    {{"send-timeout", kClients, "TIME", "10s", "",
      "a client that read nothing of its answers for so long is closed; 0: no limit"},
     to<Time, &S::send_timeout>},
    {{"route-timeout", kClients, "TIME", "10s", "",
      "a client waits so long for a worker that can take it"},
     to<TimeAbove0, &S::route_timeout>,
     "Above 0."},
    {{"clients-per-source", kClients, "N", "0", "",
      "clients from one source (an IPv4 address, an IPv6 /64) at once, per worker; 0: no limit"},
     to<Whole<0, kMaxCount>, &S::clients_per_source>,
     "Each worker counts those it accepted and those handed over to it: one too many is closed at "
     "once when it was accepted, and told busy when it was handed over."},

    {{"control-socket", kOperation, "PATH", "", "none", "unix socket for mpctl"},
     to<Text<read_socket_path>, &S::control_socket>,
     "@NAME: an abstract one, for its own user and root only. Without it mpctl cannot be used.",
     "/run/mpbroker/control.sock"},
    {{"log-level", kOperation, "LEVEL", "info", "", "debug, info, warning, error or off"},
     to<Word<kLogLevels>, &S::log_level>,
     "For the workers, too: they keep the level that they were started with."},

    {{"config", kOperation, "FILE", "", "none", "INI file with these keys; the command line wins"},
     kOnCommandLine},
    {{"check-config", kOperation, "", "", "", "check the settings and exit"},
     kOnCommandLine,
     "What does nothing, or hardly what was meant, is told on standard error as a warning."},
    {{"help", kOperation, "", "", "", "print this and exit"}, kOnCommandLine},
    {{"version", kOperation, "", "", "", "print the version and exit"}, kOnCommandLine},
};

}  // namespace

std::span<const OptionSpec> option_table() {
  static const std::vector<OptionSpec> all = [] {
    std::vector<OptionSpec> table(std::begin(kTable), std::end(kTable));
    for (const auto& part : {vhost_option_table(), key_option_table()}) {
      table.insert(table.end(), part.begin(), part.end());
    }
    return table;
  }();
  return all;
}

std::string_view section_kind(OptionScope scope) {
  switch (scope) {
    case OptionScope::kListener:
      return "listener";
    case OptionScope::kVhost:
      return "vhost";
    case OptionScope::kKey:
      return "key";
    case OptionScope::kGlobal:
    case OptionScope::kCommandLine:
      break;
  }
  return {};
}

const OptionSpec* find_option(std::string_view name, std::optional<OptionScope> scope) {
  for (const OptionSpec& spec : option_table()) {
    if (spec.name == name && (!scope || spec.scope == *scope)) return &spec;
  }
  return nullptr;
}

std::vector<const OptionText*> options_of(std::initializer_list<OptionScope> scopes) {
  std::vector<const OptionText*> options;
  for (const OptionSpec& spec : option_table()) {
    if (std::find(scopes.begin(), scopes.end(), spec.scope) != scopes.end()) {
      options.push_back(&spec);
    }
  }
  return options;
}

std::string shown_key(std::string_view key) {
  constexpr std::string_view kHidden = "...";
  constexpr std::size_t kMaxName = 40;
  const auto of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
  };
  if (key.size() > kMaxName || !std::all_of(key.begin(), key.end(), of_a_name)) {
    return std::string(kHidden);
  }
  // The '=' may have been forgotten.
  for (const OptionSpec& spec : option_table()) {
    if (spec.is_secret() && key.starts_with(spec.name) && key != spec.name) {
      return std::string(spec.name).append(kHidden);
    }
  }
  return std::string(key);
}

std::string shown_option(std::string_view option) {
  option = option.substr(0, option.find('='));
  const auto dashes = std::min(option.find_first_not_of('-'), option.size());
  std::string shown(option.substr(0, dashes));
  if (dashes == 1 && option.size() > 2) return shown.append(1, option[1]).append("...");
  return shown.append(shown_key(option.substr(dashes)));
}

}  // namespace mpb
