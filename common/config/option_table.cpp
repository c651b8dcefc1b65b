#include "common/config/option_table.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <vector>

#include "common/config/listen_names.hpp"
#include "common/config/option_values.hpp"
#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

template <class T>
struct MemberOf;
template <class Owner, class T>
struct MemberOf<T Owner::*> {
  using OwnerType = Owner;
  using Type = T;
};
template <class T>
struct ValueOf {
  using Type = T;
};
template <class T>
struct ValueOf<std::optional<T>> {
  using Type = T;
};

template <auto Member>
auto& field(OptionTarget target) {
  using Owner = typename MemberOf<decltype(Member)>::OwnerType;
  if constexpr (std::is_base_of_v<Owner, Settings>) {
    return target.settings.*Member;
  } else {
    return target.listener->*Member;
  }
}

/// Stores what `Read` makes of the value.
template <auto Member, auto Read>
Status set(OptionTarget target, std::string_view value) {
  auto read = Read(value);
  if (!read) return read.error();
  field<Member>(target) = *std::move(read);
  return {};
}

template <auto Member, std::int64_t Low, std::int64_t High>
Status set_integer(OptionTarget target, std::string_view value) {
  const auto number = read_integer(value, Low, High);
  if (!number) return number.error();
  using Type = typename ValueOf<typename MemberOf<decltype(Member)>::Type>::Type;
  field<Member>(target) = static_cast<Type>(*number);
  return {};
}

enum class Zero : bool { kRefused, kAllowed };

template <auto Member, Zero zero = Zero::kAllowed>
Status set_duration(OptionTarget target, std::string_view value) {
  const auto duration = read_duration(value, zero == Zero::kAllowed);
  if (!duration) return duration.error();
  field<Member>(target) = *duration;
  return {};
}

/// mpctl waits a little longer than the most.
Status set_answer_timeout(OptionTarget target, std::string_view value) {
  constexpr Duration kMost{60'000};
  const auto duration = read_duration(value, false);
  if (!duration) return duration.error();
  if (*duration > kMost) return usage_error("expected a time of at most 1m");
  target.settings.answer_timeout = *duration;
  return {};
}

template <auto Member>
Status set_size(OptionTarget target, std::string_view value) {
  const auto size = parse_size(value);
  if (!size) {
    return usage_error("expected a size such as 512MiB or 4GiB, whole and with its unit, or 0");
  }
  field<Member>(target) = *size;
  return {};
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
constexpr auto kCommandLine = OptionScope::kCommandLine;
constexpr std::string_view kListeners = "Listener";
constexpr std::string_view kWorkers = "Workers";
constexpr std::string_view kClients = "Clients";
constexpr std::string_view kOperation = "Operation";
constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr std::int64_t kMaxKeys = 100'000'000;

// The defaults are those of common/config/settings.hpp; the tests compare the two.
constexpr OptionSpec kTable[] = {
    {"listen", kListener, kListeners, "ADDRESS", "", "",
     "where clients arrive: 127.0.0.1:1990, [::1]:1990, :1990 (every IPv4 address), HOST:1990 (all "
     "addresses that the name has), unix:/path or unix:@name (an abstract name); must be given",
     "Port 0: the kernel chooses one.", "127.0.0.1:1990", false, set_listen},
    {"protocol", kListener, kListeners, "NAME", "control", "",
     "how clients say whom they belong to: control, ping or rtmp, or what the worker program knows",
     "", "", false, set<&L::protocol, read_name>},
    {"handler", kListener, kListeners, "NAME", "", "the protocol's own",
     "what serves the clients: echo; for rtmp relay (a live server) or forward (to other servers); "
     "or what the worker program knows",
     "", "echo", false, set<&L::handler, read_name>},
    {"policy", kListener, kListeners, "POLICY", "least", "",
     "which worker gets a key that has no owner: least (loaded), hash (rendezvous), p2c (the less "
     "loaded of two) or local (the one that accepted the client)",
     "", "", false, set<&L::policy, read_policy>},
    {"sticky", kListener, kListeners, "yes|no", "yes", "",
     "all clients of a key meet the same worker", "", "", false, set<&L::sticky, read_yes_no>},
    {"overflow", kListener, kListeners, "spill|refuse", "", "refuse for rtmp, spill for others",
     "a client whose owner is full goes to another worker, or is refused",
     "A stream of RTMP is in its owner alone.", "spill", false, set<&L::overflow, read_overflow>},
    {"route", kListener, kListeners, "KEY=SLOT[,SLOT...]", "", "no key is pinned",
     "clients of KEY go to these worker slots only; KEY * stands for every key without a route of "
     "its own; may be repeated",
     "Slots count from 0.", "7=0", true, add_pin},
    {"key", kListener, kListeners, "vhost|vhost/app/stream", "vhost", "",
     "for rtmp, what belongs together in one worker: all streams of a vhost, or each stream by "
     "itself",
     "Listeners whose clients are to meet need the same.", "", false,
     set<&L::key_is_stream, read_key_granularity>},
    {"prefix", kListener, kListeners, "none|proxy|srs-real-ip", "none", "",
     "for rtmp, what a proxy sends first to tell the client's address: proxy (the PROXY protocol, "
     "which every client must then begin with) or srs-real-ip",
     "The PROXY protocol may be of version 1 or 2. With prefix-from only.", "", false,
     set<&L::prefix, read_client_prefix>},
    {"prefix-from", kListener, kListeners, "NETWORK[,NETWORK...]", "", "none",
     "with prefix, whose word counts: the addresses of the proxies, such as 192.0.2.1,10.0.0.0/8; "
     "unix: for all clients of a unix socket; all for everybody. Others who send one are refused",
     "", "192.0.2.1, 10.0.0.0/8", false, set<&L::prefix_from, read_prefix_from>},
    {"backlog", kListener, kListeners, "N", "4096", "",
     "connections that may wait to be accepted; the kernel caps it at net.core.somaxconn",
     "1 to 65535.", "", false, set_integer<&L::backlog, 1, 65535>},
    {"mode", kListener, kListeners, "OCTAL", "0666", "", "permissions of a unix socket", "", "",
     false, set<&L::mode, read_mode>},
    {"keepalive", kListener, kListeners, "IDLE[:INTERVAL[:COUNT]]|no", "60s:15s:4", "",
     "a client of TCP that was silent for IDLE is asked every INTERVAL if it is still there, and "
     "closed after COUNT questions without an answer",
     "Times are whole seconds. One that takes no data for IDLE + COUNT * INTERVAL is closed, too, "
     "unless send-timeout is 0.",
     "", false, set<&L::keepalive, read_keepalive>},

    {"workers", kGlobal, kWorkers, "N", "2", "",
     "workers that are always there; 0: a single process", "At most 1000.", "", false,
     set_integer<&S::workers, 0, kMaxWorkers>},
    {"max-workers", kGlobal, kWorkers, "N", "", "as many as workers",
     "extra workers are started on demand up to this number in all",
     "At least workers, at most 1000.", "4", false, set_integer<&S::max_workers, 0, kMaxWorkers>},
    {"acceptors", kGlobal, kWorkers, "N", "", "every worker accepts",
     "only the first N worker slots accept clients",
     "1 to workers: the others get their clients from these.", "1", false,
     set_integer<&S::acceptors, 0, kMaxWorkers>},
    {"max-clients", kGlobal, kWorkers, "N", "0", "",
     "soft limit of clients per worker; 0: none, or with max-workers above workers what "
     "descriptors allow",
     "That is seven eighths of those that a worker has for clients. A worker at its limit offers "
     "what it accepts to the others, and refuses what it is sent.",
     "", false, set_integer<&S::max_clients, 0, kMaxCount>},
    {"grow-at", kGlobal, kWorkers, "PERCENT", "100", "",
     "start another worker when every worker has this share of max-clients", "1 to 100.", "", false,
     set_integer<&S::grow_at, 1, 100>},
    {"linger", kGlobal, kWorkers, "TIME", "30s", "",
     "an extra worker that was empty for so long is retired", "", "", false,
     set_duration<&S::linger>},
    {"key-linger", kGlobal, kWorkers, "TIME", "1s", "",
     "a key keeps its owner so long after its last client", "", "", false,
     set_duration<&S::key_linger>},
    {"drain-timeout", kGlobal, kWorkers, "TIME", "30s", "",
     "a worker told to drain ends after so long even if it has clients", "", "", false,
     set_duration<&S::drain_timeout>},
    {"start-timeout", kGlobal, kWorkers, "TIME", "10s", "",
     "a worker that is not ready after so long has failed to start", "Above 0.", "", false,
     set_duration<&S::start_timeout, Zero::kRefused>},
    {"ping-interval", kGlobal, kWorkers, "TIME", "1s", "", "a worker is asked so often if it lives",
     "Above 0.", "", false, set_duration<&S::ping_interval, Zero::kRefused>},
    {"ping-limit", kGlobal, kWorkers, "TIME", "5s", "",
     "a worker that gave no answer for so long is killed and started again",
     "So is one that owes an answer for a client sent to it. Above ping-interval.", "", false,
     set_duration<&S::ping_limit, Zero::kRefused>},
    {"answer-timeout", kGlobal, kWorkers, "TIME", "2s", "",
     "an operator's question is answered without workers that took longer; at most 1m",
     "Questions are those of mpctl streams, upstreams, hooks and kick. Above 0.", "", false,
     set_answer_timeout},
    {"worker-program", kGlobal, kWorkers, "PATH", "", "mpworker beside mpbroker, else in PATH",
     "the program that workers run", "", "/usr/local/bin/my-worker", false,
     set<&S::worker_program, read_path>},
    {"user", kGlobal, kWorkers, "NAME|FIRST..LAST", "", "unchanged",
     "workers run as this user, or each as its own: 60600..60663, or mpbroker-0..mpbroker-15",
     "Numbers need no account. A range has an account for each worker there may be, and neither "
     "root nor mpbroker's own.",
     "60600..60663", false, set<&S::user, read_account>},
    {"group", kGlobal, kWorkers, "NAME|FIRST..LAST", "",
     "the user's own, or the number of a user that is a number of a range",
     "workers run as this group, or each as its own", "", "60600..60663", false,
     set<&S::group, read_account>},
    {"worker-environment", kGlobal, kWorkers, "NAME[=VALUE]", "", "none but what all are given",
     "an environment variable that workers have, too: as mpbroker has it, or with this value; may "
     "be repeated",
     "All are given PATH, HOME, USER, LOGNAME, SHELL, TMPDIR, TERM, LANG, LANGUAGE, LC_*, TZ, "
     "JOURNAL_STREAM, LD_LIBRARY_PATH, LD_PRELOAD, GLIBC_TUNABLES, MALLOC_*, those of sanitizers, "
     "and what mpbroker tells them itself (MPBROKER_*).",
     "PYTHONPATH", true, add_variable},
    {"sandbox", kGlobal, kWorkers, "MODE", "strict", "",
     "strict: a worker keeps nothing that its handlers do not need, not even to be taken over "
     "with; "
     "no: it may do what its user may",
     "That goes for other processes, system calls, files and connections. What the kernel does not "
     "give is told of once, at the start. no is for worker programs that strict is too strict for "
     "(those that call sudo, or trace others), and for core dumps where the kernel has no "
     "Landlock.",
     "", false, set<&S::sandbox, read_sandbox>},
    {"max-keys", kGlobal, kWorkers, "N", "4000000", "", "keys with an owner at once",
     "1 to 100000000.", "", false, set_integer<&S::max_keys, 1, kMaxKeys>},
    {"gop-memory", kGlobal, kWorkers, "SIZE", "0", "",
     "what a worker may keep of its streams for players to begin with, beside the bound of each "
     "stream: 512MiB, 4GiB; 0: no bound",
     "At the bound the streams that keep most give it up first, and begin anew with their next key "
     "frame. The bound of each stream is 64 MiB.",
     "", false, set_size<&S::gop_memory>},
    {"media-memory", kGlobal, kWorkers, "SIZE", "512MiB", "",
     "what a worker may hold for its clients in all, of their streams and of what is on its way to "
     "and from them: those with the most give up some of it; 0: no bound",
     "Each vhost and each client counts by itself. First goes what they keep for players to begin "
     "with, then what players that lag have yet to get, then the client.",
     "", false, set_size<&S::media_memory>},

    {"silence-timeout", kGlobal, kClients, "TIME", "60s", "",
     "from a client's connection until its first byte; 0: no limit",
     "Where a worker has no descriptor left, clients that have said nothing yet make room for "
     "others before that, the oldest first.",
     "", false, set_duration<&S::silence_timeout>},
    {"header-timeout", kGlobal, kClients, "TIME", "10s", "",
     "from a client's first byte until its key is known; 0: no limit", "", "", false,
     set_duration<&S::header_timeout>},
    {"idle-timeout", kGlobal, kClients, "TIME", "0", "",
     "a client that sent nothing for so long is closed; 0: no limit", "", "", false,
     set_duration<&S::idle_timeout>},
    {"send-timeout", kGlobal, kClients, "TIME", "10s", "",
     "a client that read nothing of its answers for so long is closed; 0: no limit", "", "", false,
     set_duration<&S::send_timeout>},
    {"route-timeout", kGlobal, kClients, "TIME", "10s", "",
     "a client waits so long for a worker that can take it", "Above 0.", "", false,
     set_duration<&S::route_timeout, Zero::kRefused>},
    {"clients-per-source", kGlobal, kClients, "N", "0", "",
     "clients from one source (an IPv4 address, an IPv6 /64) at once, per worker; 0: no limit",
     "Each worker counts those it accepted and those handed over to it: one too many is closed at "
     "once when it was accepted, and told busy when it was handed over.",
     "", false, set_integer<&S::clients_per_source, 0, kMaxCount>},

    {"control-socket", kGlobal, kOperation, "PATH", "", "none", "unix socket for mpctl",
     "@NAME: an abstract one, for its own user and root only. Without it mpctl cannot be used.",
     "/run/mpbroker/control.sock", false, set<&S::control_socket, read_socket_path>},
    {"log-level", kGlobal, kOperation, "LEVEL", "info", "", "debug, info, warning, error or off",
     "For the workers, too: they keep the level that they were started with.", "", false,
     set<&S::log_level, read_log_level>},

    {"config", kCommandLine, kOperation, "FILE", "", "none",
     "INI file with these keys; the command line wins", "", "", false, nullptr},
    {"check-config", kCommandLine, kOperation, "", "", "", "check the settings and exit",
     "What does nothing, or hardly what was meant, is told on standard error as a warning.", "",
     false, nullptr},
    {"help", kCommandLine, kOperation, "", "", "", "print this and exit", "", "", false, nullptr},
    {"version", kCommandLine, kOperation, "", "", "", "print the version and exit", "", "", false,
     nullptr},
};

/// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::span<const OptionSpec> option_table() {
  static const std::vector<OptionSpec> all = [] {
    std::vector<OptionSpec> table(std::begin(kTable), std::end(kTable));
    const auto vhost = vhost_option_table();
    table.insert(table.end(), vhost.begin(), vhost.end());
    return table;
  }();
  return all;
}

const OptionSpec* find_option(std::string_view name) {
  const auto table = option_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const OptionSpec& spec) { return spec.name == name; });
  return found == table.end() ? nullptr : &*found;
}

const OptionSpec* find_option(std::string_view name, OptionScope scope) {
  const auto table = option_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const OptionSpec& spec) {
    return spec.name == name && spec.scope == scope;
  });
  return found == table.end() ? nullptr : &*found;
}

std::string_view nearest_option(std::string_view name, std::span<const OptionScope> scopes) {
  constexpr std::size_t kMaxMistyped = 40;
  if (name.size() > kMaxMistyped) return {};
  std::size_t nearest = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::string_view suggestion;
  for (const OptionSpec& spec : option_table()) {
    if (std::find(scopes.begin(), scopes.end(), spec.scope) == scopes.end()) continue;
    const bool shortened = !name.empty() && spec.name.starts_with(name);
    const std::size_t distance = shortened ? 0 : edit_distance(name, spec.name);
    if (distance >= nearest) continue;
    nearest = distance;
    suggestion = spec.name;
  }
  return suggestion;
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
