#include "common/config/option_rules.hpp"

#include <algorithm>
#include <string>

#include "common/base/keyed_map.hpp"
#include "common/config/network.hpp"
#include "common/config/option_values.hpp"
#include "common/config/vhost_values.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {
namespace {

using Facts = RuleFacts;
using Option = WrittenOption;

constexpr std::string_view kAbstract = "unix:@";

// --- what rules ask: true when there is something to say -----------------------------------------

bool single(const Option&, const Facts& f) {
  return f.settings.workers == 0;
}
bool several_in_single(const Option& o, const Facts& f) {
  return f.settings.workers == 0 && o.value != "0";
}
bool no_rtmp(const Option& o, const Facts&) {
  return o.listener->protocol != kRtmp;
}
bool no_rtmp_but_own(const Option& o, const Facts& f) {
  return o.listener->protocol != kRtmp && f.own_program && !is_known(*o.listener);
}
bool no_unix(const Option& o, const Facts&) {
  return !is_unix(*o.listener);
}
bool of_unix(const Option& o, const Facts&) {
  return is_unix(*o.listener);
}
bool abstract_socket(const Option& o, const Facts&) {
  return o.listener->listen.starts_with(kAbstract);
}
bool without_keys(const Option& o, const Facts& f) {
  return keyless(*o.listener, f.settings);
}
bool leaves_no_choice(const Option& o, const Facts&) {
  const std::vector<Pin>& pins = o.listener->pins;
  const auto one = [](const Pin& pin) { return pin.slots.size() == 1; };
  const auto every = [](const Pin& pin) { return pin.key == kEveryKey; };
  return std::all_of(pins.begin(), pins.end(), one) && std::any_of(pins.begin(), pins.end(), every);
}
bool spills_streams(const Option& o, const Facts& f) {
  return relays(*o.listener) && o.listener->overflow_rule() == Overflow::kSpill &&
         f.settings.worker_limit() != 1;
}
bool scatters_streams(const Option& o, const Facts& f) {
  return relays(*o.listener) && !o.listener->sticky && f.settings.worker_limit() != 1;
}
bool owns_nothing(const Option& o, const Facts&) {
  return !o.listener->sticky && o.listener->pins.empty();
}
bool never_occurs(const Option& o, const Facts&) {
  const auto pin = read_pin(o.value);
  return pin && !may_occur(*o.listener, pin->key);
}
bool believes_nobody(const Option& o, const Facts&) {
  return o.listener->prefix_from.empty();
}
bool no_prefix(const Option& o, const Facts&) {
  return o.listener->prefix == ClientPrefix::kNone;
}
bool believes_everybody(const Option& o, const Facts& f) {
  const std::vector<Network>& from = o.listener->prefix_from;
  return f.rules_by_address && std::any_of(from.begin(), from.end(), has_all_of_ipv4);
}
bool believes_no_unix(const Option& o, const Facts&) {
  return is_unix(*o.listener) && !contains(o.listener->prefix_from, std::nullopt);
}
bool believes_only_unix(const Option& o, const Facts&) {
  const auto local = [](const Network& network) { return network == kUnixPeers; };
  const std::vector<Network>& from = o.listener->prefix_from;
  return !is_unix(*o.listener) && std::all_of(from.begin(), from.end(), local);
}
bool no_extra_workers(const Option&, const Facts& f) {
  return f.settings.worker_limit() <= f.settings.workers;
}
bool zygote_is_not_to_be_had(const Option& o, const Facts& f) {
  return o.value == "zygote" && is_account_range(f.settings.user);
}
bool no_keys(const Option&, const Facts& f) {
  return !f.keys;
}
bool places_elsewhere(const Option& o, const Facts&) {
  return o.listener->policy == Policy::kLocal || o.listener->policy == Policy::kHash;
}
bool isolates_unowned_keys(const Option& o, const Facts&) {
  return o.listener->isolate == Isolation::kKey && !o.listener->sticky;
}
bool isolates_no_keys(const Option& o, const Facts& f) {
  return o.listener->isolate == Isolation::kKey && keyless(*o.listener, f.settings);
}
bool routes_every_key(const Option& o, const Facts&) {
  const auto every = [](const Pin& pin) { return pin.key == kEveryKey; };
  return std::any_of(o.listener->pins.begin(), o.listener->pins.end(), every);
}
bool isolates_each(const Option& o, const Facts&) {
  return o.listener->isolate == Isolation::kClient;
}
bool isolates_players(const Option& o, const Facts& f) {
  return isolates_each(o, f) && relays(*o.listener);
}
bool routes_some_keys(const Option& o, const Facts& f) {
  return isolates_each(o, f) && !o.listener->pins.empty();
}
bool shares_workers(const Option& o, const Facts&) {
  return o.listener->isolate == Isolation::kNo;
}
bool none_isolates(const Option&, const Facts& f) {
  return !f.settings.isolates();
}
bool more_spares_than_extra(const Option&, const Facts& f) {
  return f.settings.workers + f.settings.spare_workers > f.settings.worker_limit();
}
bool isolates_no_key(const Option& o, const Facts&) {
  return o.listener->isolate != Isolation::kKey;
}
bool no_listener_isolates_keys(const Option&, const Facts& f) {
  return !f.isolates_keys;
}
bool closes_no_key(const Option&, const Facts& f) {
  return f.settings.max_failures == 0;
}
/// Of an option of all workers nullptr.
const CellSettings* cell_of(const Option& o) {
  if (o.vhost != nullptr) return &o.vhost->cell;
  return o.key != nullptr ? &o.key->cell : nullptr;
}
/// Those whose keys the section is about.
std::vector<const ListenerSettings*> listeners_of(const Option& o, const Facts& f) {
  std::vector<const ListenerSettings*> all;
  for (const ListenerSettings& listener : f.settings.listeners) {
    const bool rtmp = listener.protocol == kRtmp;
    const bool of_key = o.key != nullptr &&
                        (o.key->protocol.empty() ? !rtmp : o.key->protocol == listener.protocol);
    if (of_key || (o.vhost != nullptr && rtmp)) all.push_back(&listener);
  }
  return all;
}
bool by_key(const ListenerSettings* listener) {
  return listener->isolate == Isolation::kKey;
}
bool has_no_cell(const Option& o, const Facts& f) {
  const auto all = listeners_of(o, f);
  return cell_of(o) != nullptr && std::none_of(all.begin(), all.end(), by_key);
}
bool has_not_always_a_cell(const Option& o, const Facts& f) {
  const auto all = listeners_of(o, f);
  return !std::all_of(all.begin(), all.end(), by_key);
}
bool is_vhosts_affair(const Option& o, const Facts&) {
  return o.key != nullptr && o.value == kRtmp;
}
bool group_without_user(const Option& o, const Facts&) {
  return cell_of(o) != nullptr && cell_of(o)->user.empty();
}
bool no_sources(const Option&, const Facts& f) {
  return !f.sources;
}
bool proxy_is_the_source(const Option& o, const Facts& f) {
  return f.behind_proxy && o.value != "0";
}

bool nobody_asks(const Option&, const Facts& f) {
  return f.settings.control_socket.empty();
}
bool keeps_no_streams(const Option&, const Facts& f) {
  const auto relays = [](const VhostSettings& v) { return v.handler == VhostHandler::kRelay; };
  return !f.own_program && !f.relays &&
         !(f.rtmp && std::any_of(f.settings.vhosts.begin(), f.settings.vhosts.end(), relays));
}

bool gops_above_media(const Option&, const Facts& f) {
  const std::uint64_t media = f.settings.media_memory;
  return media > 0 && f.settings.gop_memory >= media;
}

bool media_below_frame(const Option&, const Facts& f) {
  constexpr std::uint64_t kFew = 64ULL << 20;
  return !keeps_no_streams({}, f) && f.settings.media_memory > 0 && f.settings.media_memory < kFew;
}

bool relayed(const VhostSettings& vhost, const Facts& f) {
  return vhost.handler == VhostHandler::kListeners
             ? f.relays
             : f.rtmp && vhost.handler == VhostHandler::kRelay;
}
bool forwarded(const VhostSettings& vhost, const Facts& f) {
  return vhost.handler == VhostHandler::kListeners
             ? f.forwards
             : f.rtmp && vhost.handler == VhostHandler::kForward;
}
bool only_forwarded(const Option& o, const Facts& f) {
  return forwarded(*o.vhost, f) && !relayed(*o.vhost, f) && !f.own_program;
}
bool also_forwarded(const Option& o, const Facts& f) {
  return forwarded(*o.vhost, f) && !o.vhost->upstreams.empty();
}
bool nobody_relays(const Option& o, const Facts& f) {
  return !relayed(*o.vhost, f) && !f.own_program;
}
bool nobody_forwards(const Option& o, const Facts& f) {
  return !forwarded(*o.vhost, f) && !f.own_program;
}
/// Back to a listener that forwards the vhost's clients.
bool forwards_to_itself(const Option& o, const Facts& f) {
  const auto upstream = read_upstream(o.value);
  if (!upstream) return false;
  return std::any_of(f.rtmp_listeners.begin(), f.rtmp_listeners.end(), [&](const auto& listener) {
    const bool comes_here = o.vhost->handler == VhostHandler::kListeners
                                ? listener.forwards
                                : o.vhost->handler == VhostHandler::kForward;
    return comes_here && meets(listener.address, upstream->address);
  });
}
bool no_upstream(const Option& o, const Facts&) {
  return o.vhost->upstreams.empty();
}
bool no_hook(const Option& o, const Facts&) {
  return !asks_hooks(o.vhost->hooks) && !tells_hooks(o.vhost->hooks);
}
bool no_asking_hook(const Option& o, const Facts&) {
  return !asks_hooks(o.vhost->hooks);
}
bool queue_below_merge(const Option& o, const Facts&) {
  return o.vhost->queue <= o.vhost->merge;
}
/// The queue that was left at its default; queue_below_merge is about one that was written.
bool merge_above_queue(const Option& o, const Facts&) {
  return o.vhost->queue == VhostSettings{}.queue && o.vhost->queue <= o.vhost->merge;
}
bool closed_before_it_yields(const Option& o, const Facts&) {
  const auto& yields = o.vhost->publisher_yields;
  return yields && o.vhost->publish_timeout > Duration::zero() &&
         *yields >= o.vhost->publish_timeout;
}
bool publish_denied_to_all(const Option& o, const Facts&) {
  return has_all(o.vhost->publish.deny);
}
bool play_denied_to_all(const Option& o, const Facts&) {
  return has_all(o.vhost->play.deny);
}
bool publish_deny_misses_unix(const Option& o, const Facts& f) {
  return f.relays_unix && !has_all(o.vhost->publish.deny);
}
bool play_deny_misses_unix(const Option& o, const Facts& f) {
  return f.relays_unix && !has_all(o.vhost->play.deny);
}

// --- the rules -----------------------------------------------------------------------------------

struct Rule {
  std::string_view option;
  bool (*says)(const Option&, const Facts&);
  Finding finding;
};

constexpr Gravity kDanger = Gravity::kDanger;
constexpr Gravity kDoubtful = Gravity::kDoubtful;
constexpr Gravity kIdle = Gravity::kIdle;

constexpr Finding kSingle{kIdle, "a single process has no broker or workers"};
constexpr Finding kOwnProcess{kIdle, "with isolate = client each client has a process of its own"};
constexpr Finding kNoKeys{kIdle, "clients of this listener belong to no worker"};
constexpr Finding kForwardOpen{
    kDanger,
    "its clients are forwarded, to upstreams that nobody asks this: expected it there, or "
    "handler relay"};
constexpr Finding kForwardBeside{
    kDoubtful, "it does not hold for clients that are forwarded to the vhost's upstreams"};
constexpr Finding kNoRelay{kIdle, "no listener relays clients of the vhost"};
constexpr Finding kNoForward{kIdle, "no listener forwards clients of the vhost"};
constexpr Finding kNoExtra{kIdle, "there are no extra workers without max-workers above workers"};
constexpr Finding kNoOwners{kIdle, "no listener has clients whose keys have owners"};
constexpr Finding kNoIsolatedKeys{kIdle, "no listener has isolate = key"};
constexpr Finding kNoCell{
    kDanger,
    "no listener of its clients has isolate = key, so that others serve them: expected one"};
constexpr Finding kIdleCell{kIdle, "no listener of its clients has isolate = key"};
constexpr Finding kNotAlways{
    kDoubtful, "who comes by a listener without isolate = key is served by other workers"};
constexpr Finding kNoUpstream{kIdle, "the vhost has no upstream"};
constexpr Finding kDenyAll{kDoubtful, "the deny list of the vhost has all: everybody is refused"};
constexpr Finding kDenyUnix{
    kDoubtful, "clients of a unix socket have no address: expected all, or a listener with prefix"};

/// Of those of one option the first that has something to say counts: the gravest stands first.
constexpr Rule kRules[] = {
    {"policy", single, kSingle},
    {"policy", without_keys, kNoKeys},
    {"policy", leaves_no_choice, {kIdle, "each key has a route to one slot"}},
    {"sticky", single, kSingle},
    {"sticky", without_keys, kNoKeys},
    {"sticky", isolates_each, kOwnProcess},
    {"sticky",
     scatters_streams,
     {kDoubtful, "a stream's players and publisher may be in different workers and never meet"}},
    {"overflow", single, kSingle},
    {"overflow", without_keys, kNoKeys},
    {"overflow",
     spills_streams,
     {kDoubtful,
      "players who are sent to another worker than their stream's see nothing: expected "
      "refuse"}},
    {"overflow", isolates_each, kOwnProcess},
    {"overflow", owns_nothing, {kIdle, "with sticky = no keys have no owner that could be full"}},
    {"isolate",
     single,
     {kDanger, "a single process is the only one there is: expected workers above 0"}},
    {"isolate",
     no_extra_workers,
     {kDanger, "no process could be started: expected max-workers above workers"}},
    {"isolate",
     places_elsewhere,
     {kDanger, "policy = local or hash says itself who serves a client: expected least or p2c"}},
    {"isolate",
     isolates_unowned_keys,
     {kDanger, "with sticky = no keys have no owner: expected sticky = yes, or isolate = client"}},
    {"isolate",
     isolates_no_keys,
     {kDanger, "clients of this listener belong to no key: expected isolate = client"}},
    {"isolate",
     routes_every_key,
     {kDanger, "route * names the workers of all keys, and nobody is isolated: expected none"}},
    {"isolate",
     isolates_players,
     {kDoubtful, "a stream's players and publisher are in different processes and never meet"}},
    {"isolate",
     routes_some_keys,
     {kDoubtful, "clients of a key with a route are served there, and not isolated"}},
    {"isolate-overflow", single, kSingle},
    {"isolate-overflow", shares_workers, {kIdle, "without isolate nobody needs a worker alone"}},
    {"rollover", single, kSingle},
    {"rollover", isolates_no_key, {kIdle, "without isolate = key no worker is a key's own"}},
    {"route", single, kSingle},
    {"route", without_keys, kNoKeys},
    {"route",
     never_occurs,
     {kIdle,
      "no client has such a key: of control it is a number, of rtmp the vhost's name in "
      "lower case, or vhost/app or vhost/app/stream where key says so"}},
    {"key", no_rtmp_but_own, {kIdle, "expected protocol rtmp, the only one that reads it"}},
    {"key", no_rtmp, {kDanger, "expected protocol rtmp, the only one that reads it"}},
    {"prefix",
     no_rtmp,
     {kDanger,
      "expected protocol rtmp, the only one that reads it: another takes what the proxy "
      "sends first for the client's own words"}},
    {"prefix",
     believes_nobody,
     {kDanger,
      "expected prefix-from beside it, which says whose word counts: the addresses of the proxies, "
      "such as prefix-from = 192.0.2.1,10.0.0.0/8, or for proxies that come to a unix socket "
      "prefix-from = unix:"}},
    {"prefix-from", no_prefix, {kIdle, "without prefix nobody is asked for one"}},
    {"prefix-from",
     believes_everybody,
     {kDoubtful,
      "whoever can connect can claim any address, and some vhosts have rules by "
      "address: expected the proxies' addresses"}},
    {"prefix-from",
     believes_no_unix,
     {kDoubtful,
      "clients of a unix socket have no address, and all who send a prefix are refused: expected "
      "unix:"}},
    {"prefix-from",
     believes_only_unix,
     {kDoubtful,
      "clients of this listener have addresses, and all who send a prefix are refused: expected "
      "the proxies' addresses"}},
    {"mode",
     abstract_socket,
     {kDanger,
      "an abstract socket has no permissions, every process of the machine may connect: "
      "expected a path"}},
    {"mode", no_unix, {kIdle, "it is about unix sockets"}},
    {"keepalive", of_unix, {kIdle, "it is about TCP"}},

    {"workers", several_in_single, kSingle},
    {"max-workers", single, kSingle},
    {"spare-workers", single, kSingle},
    {"spare-workers", none_isolates, {kIdle, "no listener has isolate"}},
    {"spare-workers",
     more_spares_than_extra,
     {kDoubtful, "max-workers leaves room for fewer beside workers"}},
    {"max-failures", single, kSingle},
    {"max-failures", no_listener_isolates_keys, kNoIsolatedKeys},
    {"recovery-time", single, kSingle},
    {"recovery-time", no_listener_isolates_keys, kNoIsolatedKeys},
    {"recovery-time", closes_no_key, {kIdle, "without max-failures no key is closed"}},
    {"acceptors", single, kSingle},
    {"grow-at", single, kSingle},
    {"grow-at", no_extra_workers, kNoExtra},
    {"linger", single, kSingle},
    {"linger", no_extra_workers, kNoExtra},
    {"key-linger", single, kSingle},
    {"key-linger", no_keys, kNoOwners},
    {"max-keys", single, kSingle},
    {"max-keys", no_keys, kNoOwners},
    {"start-timeout", single, kSingle},
    {"guard", single, kSingle},
    {"spawn", single, kSingle},
    {"spawn",
     zygote_is_not_to_be_had,
     {kIdle, "with a user for each slot workers are started by exec"}},
    {"ping-interval", single, kSingle},
    {"ping-limit", single, kSingle},
    {"answer-timeout", single, kSingle},
    {"worker-environment", single, kSingle},
    {"workers-deny", single, kSingle},
    {"answer-timeout", nobody_asks, {kIdle, "without control-socket nobody can ask workers"}},
    {"gop-memory", keeps_no_streams, {kIdle, "no listener relays RTMP streams"}},
    {"gop-memory",
     gops_above_media,
     {kIdle, "media-memory, of which this is a part, is no more than that"}},
    {"media-memory",
     media_below_frame,
     {kDoubtful, "a single key frame may take 16MiB, and players that lag keep several"}},
    {"route-timeout", single, kSingle},
    {"control-socket", single, kSingle},
    {"clients-per-source", no_sources, {kIdle, "clients of unix sockets have no address"}},
    {"clients-per-source",
     proxy_is_the_source,
     {kDoubtful, "a listener has prefix: all clients of a proxy count as one source"}},

    {"publish-allow", only_forwarded, kForwardOpen},
    {"publish-allow", also_forwarded, kForwardBeside},
    {"publish-allow", publish_denied_to_all, kDenyAll},
    {"publish-deny", only_forwarded, kForwardOpen},
    {"publish-deny", also_forwarded, kForwardBeside},
    {"publish-deny", publish_deny_misses_unix, kDenyUnix},
    {"play-allow", only_forwarded, kForwardOpen},
    {"play-allow", also_forwarded, kForwardBeside},
    {"play-allow", play_denied_to_all, kDenyAll},
    {"play-deny", only_forwarded, kForwardOpen},
    {"play-deny", also_forwarded, kForwardBeside},
    {"play-deny", play_deny_misses_unix, kDenyUnix},
    {"publish-key", only_forwarded, kForwardOpen},
    {"publish-key", also_forwarded, kForwardBeside},
    {"play-key", only_forwarded, kForwardOpen},
    {"play-key", also_forwarded, kForwardBeside},
    {"publish-secret", only_forwarded, kForwardOpen},
    {"publish-secret", also_forwarded, kForwardBeside},
    {"play-secret", only_forwarded, kForwardOpen},
    {"play-secret", also_forwarded, kForwardBeside},
    {"on-connect", only_forwarded, kForwardOpen},
    {"on-connect", also_forwarded, kForwardBeside},
    {"on-publish", only_forwarded, kForwardOpen},
    {"on-publish", also_forwarded, kForwardBeside},
    {"on-play", only_forwarded, kForwardOpen},
    {"on-play", also_forwarded, kForwardBeside},
    {"on-unpublish", nobody_relays, kNoRelay},
    {"on-stop", nobody_relays, kNoRelay},
    {"hook-timeout", nobody_relays, kNoRelay},
    {"hook-timeout", no_hook, {kIdle, "the vhost has no callback"}},
    {"hook-failure", nobody_relays, kNoRelay},
    {"hook-failure", no_asking_hook, {kIdle, "the vhost asks nobody"}},

    {"latency", nobody_relays, kNoRelay},
    {"latency",
     merge_above_queue,
     {kDoubtful, "queue, which is 10s by default, is no longer: players are always too late"}},
    {"gop-cache", nobody_relays, kNoRelay},
    {"queue", nobody_relays, kNoRelay},
    {"queue",
     queue_below_merge,
     {kDoubtful, "latency gathers for longer: players are always too late"}},
    {"jitter", nobody_relays, kNoRelay},
    {"publish-notify", nobody_relays, kNoRelay},
    {"publisher", nobody_relays, kNoRelay},
    {"publisher",
     closed_before_it_yields,
     {kIdle, "publish-timeout closes a silent publisher before that"}},
    {"max-players", nobody_relays, kNoRelay},
    {"max-publishers", nobody_relays, kNoRelay},
    {"max-bitrate", nobody_relays, kNoRelay},
    {"publish-timeout", nobody_relays, kNoRelay},
    {"standby-timeout", nobody_relays, kNoRelay},
    {"play-wait", nobody_relays, kNoRelay},

    {"user", has_no_cell, kNoCell},
    {"user", has_not_always_a_cell, kNotAlways},
    {"group", group_without_user, {kDanger, "expected user beside it"}},
    {"nofile", has_no_cell, kIdleCell},
    {"memory-max", has_no_cell, kIdleCell},
    {"memory-max", has_not_always_a_cell, kNotAlways},
    {"cpu-weight", has_no_cell, kIdleCell},
    {"protocol",
     is_vhosts_affair,
     {kDanger, "of rtmp it is set by [vhost NAME] sections: expected these"}},

    {"upstream",
     forwards_to_itself,
     {kDanger, "a listener that forwards has this address: its clients would go round for ever"}},
    {"upstream", nobody_forwards, kNoForward},
    {"upstream-prefix", nobody_forwards, kNoForward},
    {"upstream-prefix", no_upstream, kNoUpstream},
    {"upstream-timeout", nobody_forwards, kNoForward},
    {"upstream-timeout", no_upstream, kNoUpstream},
    {"upstream-fails", nobody_forwards, kNoForward},
    {"upstream-fails", no_upstream, kNoUpstream},
    {"upstream-pause", nobody_forwards, kNoForward},
    {"upstream-pause", no_upstream, kNoUpstream},
};

constexpr Finding kVhostsUnused{kIdle, "no listener has protocol rtmp, whose clients name vhosts"};

using RulesOfOption = KeyedMap<std::string_view, std::vector<const Rule*>>;

const RulesOfOption& rules() {
  static const RulesOfOption all = [] {
    RulesOfOption by_option;
    for (const Rule& rule : kRules) by_option[rule.option].push_back(&rule);
    return by_option;
  }();
  return all;
}

}  // namespace

const Finding* judge(const WrittenOption& option, const RuleFacts& facts) {
  const auto found = rules().find(option.name);
  if (found == rules().end()) return nullptr;
  for (const Rule* rule : found->second) {
    if (rule->says(option, facts)) return &rule->finding;
  }
  return nullptr;
}

const Finding* judge_vhosts(const RuleFacts& facts) {
  return facts.rtmp || facts.own_program ? nullptr : &kVhostsUnused;
}

}  // namespace mpb
