// The keys of a [vhost NAME] section: how each is read, and how it is written.
#include <fmt/format.h>

#include <algorithm>

#include "common/config/option_table.hpp"
#include "common/config/option_values.hpp"
#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

// Each value is named by a function that gives its place in a VhostSettings, const or not.
constexpr auto kHandler = [](auto& v) -> auto& {
  return v.handler;
};
constexpr auto kMerge = [](auto& v) -> auto& {
  return v.merge;
};
constexpr auto kGopCache = [](auto& v) -> auto& {
  return v.gop_cache;
};
constexpr auto kQueue = [](auto& v) -> auto& {
  return v.queue;
};
constexpr auto kJitter = [](auto& v) -> auto& {
  return v.jitter;
};
constexpr auto kPublishNotify = [](auto& v) -> auto& {
  return v.publish_notify;
};
constexpr auto kPublishAllow = [](auto& v) -> auto& {
  return v.publish.allow;
};
constexpr auto kPublishDeny = [](auto& v) -> auto& {
  return v.publish.deny;
};
constexpr auto kPlayAllow = [](auto& v) -> auto& {
  return v.play.allow;
};
constexpr auto kPlayDeny = [](auto& v) -> auto& {
  return v.play.deny;
};
constexpr auto kPublishKey = [](auto& v) -> auto& {
  return v.publish.key;
};
constexpr auto kPlayKey = [](auto& v) -> auto& {
  return v.play.key;
};
constexpr auto kPublishSecret = [](auto& v) -> auto& {
  return v.publish.secret;
};
constexpr auto kPlaySecret = [](auto& v) -> auto& {
  return v.play.secret;
};
constexpr auto kOnConnect = [](auto& v) -> auto& {
  return v.hooks.on_connect;
};
constexpr auto kOnPublish = [](auto& v) -> auto& {
  return v.hooks.on_publish;
};
constexpr auto kOnPlay = [](auto& v) -> auto& {
  return v.hooks.on_play;
};
constexpr auto kOnUnpublish = [](auto& v) -> auto& {
  return v.hooks.on_unpublish;
};
constexpr auto kOnStop = [](auto& v) -> auto& {
  return v.hooks.on_stop;
};
constexpr auto kHookTimeout = [](auto& v) -> auto& {
  return v.hooks.timeout;
};
constexpr auto kHookFailure = [](auto& v) -> auto& {
  return v.hooks.fail_open;
};
constexpr auto kPublisher = [](auto& v) -> auto& {
  return v.publisher_yields;
};
constexpr auto kMaxPlayers = [](auto& v) -> auto& {
  return v.max_players;
};
constexpr auto kMaxPublishers = [](auto& v) -> auto& {
  return v.max_publishers;
};
constexpr auto kMaxBitrate = [](auto& v) -> auto& {
  return v.max_bitrate;
};
constexpr auto kPublishTimeout = [](auto& v) -> auto& {
  return v.publish_timeout;
};
constexpr auto kStandbyTimeout = [](auto& v) -> auto& {
  return v.standby_timeout;
};
constexpr auto kPlayWait = [](auto& v) -> auto& {
  return v.play_wait;
};
constexpr auto kUpstreamPrefix = [](auto& v) -> auto& {
  return v.upstream_prefix;
};
constexpr auto kUpstreamTimeout = [](auto& v) -> auto& {
  return v.upstream_timeout;
};
constexpr auto kUpstreamFails = [](auto& v) -> auto& {
  return v.upstream_fails;
};
constexpr auto kUpstreamPause = [](auto& v) -> auto& {
  return v.upstream_pause;
};

template <auto Place, auto Read>
Status set(OptionTarget target, std::string_view value) {
  auto read = Read(value);
  if (!read) return read.error();
  Place(*target.vhost) = *std::move(read);
  return {};
}

template <auto Place, std::int64_t Low, std::int64_t High>
Status set_number(OptionTarget target, std::string_view value) {
  const auto number = read_integer(value, Low, High);
  if (!number) return number.error();
  Place(*target.vhost) = static_cast<std::uint32_t>(*number);
  return {};
}

Result<Duration> read_time(std::string_view text) {
  return read_duration(text, true);
}
Result<Duration> read_time_above_0(std::string_view text) {
  return read_duration(text, false);
}

Status add_upstream(OptionTarget target, std::string_view value) {
  auto upstream = read_upstream(value);
  if (!upstream) return upstream.error();
  std::vector<Upstream>& upstreams = target.vhost->upstreams;
  const auto same = [&](const Upstream& other) { return other.address == upstream->address; };
  if (std::any_of(upstreams.begin(), upstreams.end(), same)) {
    return usage_error("expected an address that is not there already");
  }
  if (upstreams.size() == kMaxUpstreams) {
    return usage_error(fmt::format("expected at most {} upstreams", kMaxUpstreams));
  }
  upstreams.push_back(*std::move(upstream));
  return {};
}

template <auto Place, auto Format>
std::vector<std::string> show(const VhostSettings& vhost) {
  return {Format(Place(vhost))};
}

template <auto Place>
std::vector<std::string> show_text(const VhostSettings& vhost) {
  return {Place(vhost)};
}

template <auto Place>
std::vector<std::string> show_number(const VhostSettings& vhost) {
  return {fmt::to_string(Place(vhost))};
}

std::vector<std::string> show_upstreams(const VhostSettings& vhost) {
  std::vector<std::string> values;
  for (const Upstream& upstream : vhost.upstreams) values.push_back(format_upstream(upstream));
  return values;
}

constexpr auto kVhost = OptionScope::kVhost;
constexpr std::string_view kService = "Vhost: who serves it";
constexpr std::string_view kDelivery = "Vhost: delivery";
constexpr std::string_view kAccess = "Vhost: access";
constexpr std::string_view kHooks = "Vhost: HTTP callbacks";
constexpr std::string_view kLimits = "Vhost: limits";
constexpr std::string_view kForward = "Vhost: handler forward";
constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr std::int64_t kMaxFails = 1'000'000;

// The defaults are those of common/config/vhost_settings.hpp; the tests compare the two.
constexpr OptionSpec kTable[] = {
    {"handler", kVhost, kService, "relay|forward", "", "the listener's",
     "what serves the vhost's clients: relay (a live server) or forward (to its upstreams)",
     "Clients that are there when it changes stay where they are.", "forward", false,
     set<kHandler, read_vhost_handler>, show<kHandler, format_vhost_handler>},

    {"latency", kVhost, kDelivery, "realtime|merge:TIME", "realtime", "",
     "what players get goes out at once, or is gathered for TIME (1ms to 10s) and costs less CPU",
     "", "", false, set<kMerge, read_latency>, show<kMerge, format_latency>},
    {"gop-cache", kVhost, kDelivery, "yes|no", "yes", "",
     "keep what came since the last key frame, so that a player begins with a picture at once", "",
     "", false, set<kGopCache, read_yes_no>, show<kGopCache, format_yes_no>},
    {"queue", kVhost, kDelivery, "TIME", "10s", "",
     "what a player has not read may be so old, then it goes on at the next key frame; above 0", "",
     "", false, set<kQueue, read_time_above_0>, show<kQueue, format_duration>},
    {"jitter", kVhost, kDelivery, "full|zero|off", "full", "",
     "a player's timestamps: full (from near 0, and smooth where the publisher's jump), zero (from "
     "near 0) or off (the publisher's own)",
     "", "", false, set<kJitter, read_jitter>, show<kJitter, format_jitter>},
    {"publish-notify", kVhost, kDelivery, "yes|no", "no", "",
     "tell players NetStream.Play.PublishNotify and UnpublishNotify when a publisher begins and "
     "ends; FFmpeg ends on the latter",
     "", "", false, set<kPublishNotify, read_yes_no>, show<kPublishNotify, format_yes_no>},

    {"publish-allow", kVhost, kAccess, "NETWORKS", "", "every address may publish",
     "only these may publish: addresses and networks such as 192.0.2.1,10.0.0.0/8,2001:db8::/32, "
     "or all; at most 256",
     "When something is allowed, all others are refused.", "192.0.2.1, 10.0.0.0/8, 2001:db8::/32",
     false, set<kPublishAllow, read_networks>, show<kPublishAllow, format_networks>},
    {"publish-deny", kVhost, kAccess, "NETWORKS", "", "nobody is refused",
     "these may not publish, even when they are allowed", "", "10.1.0.0/16", false,
     set<kPublishDeny, read_networks>, show<kPublishDeny, format_networks>},
    {"play-allow", kVhost, kAccess, "NETWORKS", "", "every address may play", "only these may play",
     "", "all", false, set<kPlayAllow, read_networks>, show<kPlayAllow, format_networks>},
    {"play-deny", kVhost, kAccess, "NETWORKS", "", "nobody is refused",
     "these may not play, even when they are allowed", "", "203.0.113.0/24", false,
     set<kPlayDeny, read_networks>, show<kPlayDeny, format_networks>},
    {"publish-key", kVhost, kAccess, "SECRET", "", "not asked for",
     "who publishes must have ?key=SECRET in the stream name",
     "Keys and secrets may be in files: credential:NAME (a credential of systemd's) or file:/PATH.",
     "a-secret", false, set<kPublishKey, read_key>, show_text<kPublishKey>},
    {"play-key", kVhost, kAccess, "SECRET", "", "not asked for",
     "who plays must have ?key=SECRET in the stream name", "", "another-secret", false,
     set<kPlayKey, read_key>, show_text<kPlayKey>},
    {"publish-secret", kVhost, kAccess, "SECRET", "", "not asked for",
     "who publishes must have ?expires=UNIX_SECONDS&token=HMAC made with SECRET in the stream name",
     "The token is the HMAC-SHA256 with this secret of publish:VHOST/APP/STREAM:UNIX_SECONDS.",
     "a-longer-secret", false, set<kPublishSecret, read_secret>, show_text<kPublishSecret>},
    {"play-secret", kVhost, kAccess, "SECRET", "", "not asked for", "the same for who plays",
     "It is made of play:VHOST/APP/STREAM:UNIX_SECONDS.", "another-longer-secret", false,
     set<kPlaySecret, read_secret>, show_text<kPlaySecret>},

    {"on-connect", kVhost, kHooks, "URL", "", "nobody is asked",
     "http://HOST[:PORT]/PATH that is asked whether a client may connect; HOST is a name or an "
     "address",
     "Callbacks have the form of SRS's. The first three ask, the others tell.",
     "http://127.0.0.1:8085/api/v1/clients", false, set<kOnConnect, read_hook_url>,
     show_text<kOnConnect>},
    {"on-publish", kVhost, kHooks, "URL", "", "nobody is asked",
     "asked whether a client may publish", "", "http://127.0.0.1:8085/api/v1/streams", false,
     set<kOnPublish, read_hook_url>, show_text<kOnPublish>},
    {"on-play", kVhost, kHooks, "URL", "", "nobody is asked", "asked whether a client may play", "",
     "http://127.0.0.1:8085/api/v1/sessions", false, set<kOnPlay, read_hook_url>,
     show_text<kOnPlay>},
    {"on-unpublish", kVhost, kHooks, "URL", "", "nobody is told",
     "told when a client publishes no more", "", "http://127.0.0.1:8085/api/v1/streams", false,
     set<kOnUnpublish, read_hook_url>, show_text<kOnUnpublish>},
    {"on-stop", kVhost, kHooks, "URL", "", "nobody is told", "told when a client plays no more", "",
     "http://127.0.0.1:8085/api/v1/sessions", false, set<kOnStop, read_hook_url>,
     show_text<kOnStop>},
    {"hook-timeout", kVhost, kHooks, "TIME", "3s", "",
     "a callback must be answered within so long; above 0", "", "", false,
     set<kHookTimeout, read_time_above_0>, show<kHookTimeout, format_duration>},
    {"hook-failure", kVhost, kHooks, "open|closed", "closed", "",
     "a client whose callback is not answered is let in (open) or refused (closed)",
     "One that finds no place among those who wait for an answer is refused in any case.", "",
     false, set<kHookFailure, read_hook_failure>, show<kHookFailure, format_hook_failure>},

    {"publisher", kVhost, kLimits, "first|silent:TIME|last", "silent:3s", "",
     "which publisher has a stream that another one wants as well: the first, also if it has "
     "vanished; the first unless nothing came from it for TIME; or the last",
     "With last, encoders that come back by themselves take a stream from each other for ever.", "",
     false, set<kPublisher, read_publisher>, show<kPublisher, format_publisher>},
    {"max-players", kVhost, kLimits, "N", "0", "",
     "players of the vhost at once, in one worker; 0: no limit", "", "", false,
     set_number<kMaxPlayers, 0, kMaxCount>, show_number<kMaxPlayers>},
    {"max-publishers", kVhost, kLimits, "N", "0", "",
     "publishers of the vhost at once, in one worker; 0: no limit", "", "", false,
     set_number<kMaxPublishers, 0, kMaxCount>, show_number<kMaxPublishers>},
    {"max-bitrate", kVhost, kLimits, "BITRATE", "0", "",
     "a publisher that sends more for some seconds is closed: 800kbit, 6Mbit; 0: no limit", "", "",
     false, set<kMaxBitrate, read_bitrate>, show<kMaxBitrate, format_bitrate>},
    {"publish-timeout", kVhost, kLimits, "TIME", "30s", "",
     "a publisher that sends nothing for so long is closed; 0: no limit", "", "", false,
     set<kPublishTimeout, read_time>, show<kPublishTimeout, format_duration>},
    {"standby-timeout", kVhost, kLimits, "TIME", "30s", "",
     "a client that neither publishes nor plays for so long is closed; 0: no limit", "", "", false,
     set<kStandbyTimeout, read_time>, show<kStandbyTimeout, format_duration>},
    {"play-wait", kVhost, kLimits, "TIME", "0", "",
     "a player waits so long for a publisher; 0: as long as it takes", "", "", false,
     set<kPlayWait, read_time>, show<kPlayWait, format_duration>},

    {"upstream", kVhost, kForward, "ADDRESS[ backup]", "", "none",
     "a server that clients are forwarded to, in turn: origin.example.com:1935, 192.0.2.1:1935, "
     "[2001:db8::1]:1935 or unix:/path; a backup only when all others are down; may be repeated",
     "", "192.0.2.1:1935", true, add_upstream, show_upstreams},
    {"upstream-prefix", kVhost, kForward, "none|proxy-v1|proxy-v2|srs-real-ip", "none", "",
     "how upstreams are told the client's address", "", "", false,
     set<kUpstreamPrefix, read_upstream_prefix>, show<kUpstreamPrefix, format_upstream_prefix>},
    {"upstream-timeout", kVhost, kForward, "TIME", "3s", "",
     "an upstream must connect and answer the handshake within so long; above 0", "", "", false,
     set<kUpstreamTimeout, read_time_above_0>, show<kUpstreamTimeout, format_duration>},
    {"upstream-fails", kVhost, kForward, "N", "3", "",
     "an upstream that fails so often in a row is left out for upstream-pause", "", "", false,
     set_number<kUpstreamFails, 1, kMaxFails>, show_number<kUpstreamFails>},
    {"upstream-pause", kVhost, kForward, "TIME", "10s", "", "how long such an upstream is left out",
     "", "", false, set<kUpstreamPause, read_time>, show<kUpstreamPause, format_duration>},
};

}  // namespace

std::span<const OptionSpec> vhost_option_table() {
  return kTable;
}

}  // namespace mpb
