// The keys of a [vhost NAME] section: how each is read, and how it is written.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "common/config/option_table.hpp"
#include "common/config/vhost_values.hpp"

namespace mpb {
namespace {

constexpr std::array<Choice<Jitter>, 3> kJitters{
    {{"full", Jitter::kFull}, {"zero", Jitter::kZero}, {"off", Jitter::kOff}}};
constexpr std::array<Choice<VhostHandler>, 2> kHandlers{
    {{"relay", VhostHandler::kRelay}, {"forward", VhostHandler::kForward}}};
constexpr std::array<Choice<bool>, 2> kHookFailures{{{"open", true}, {"closed", false}}};
constexpr std::array<Choice<UpstreamPrefix>, 4> kUpstreamPrefixes{
    {{"none", UpstreamPrefix::kNone},
     {"proxy-v1", UpstreamPrefix::kProxyV1},
     {"proxy-v2", UpstreamPrefix::kProxyV2},
     {"srs-real-ip", UpstreamPrefix::kSrsRealIp}}};

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

std::vector<std::string> show_upstreams(const VhostSettings& vhost) {
  std::vector<std::string> values;
  for (const Upstream& upstream : vhost.upstreams) values.push_back(format_upstream(upstream));
  return values;
}

using V = VhostSettings;
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
    {{"handler", kService, "relay|forward", "", "the listener's",
      "what serves the vhost's clients: relay (a live server) or forward (to its upstreams)"},
     to<Word<kHandlers>, &V::handler>,
     "Clients that are there when it changes stay where they are.",
     "forward"},

    {{"latency", kDelivery, "realtime|merge:TIME", "realtime", "",
      "what players get goes out at once, or is gathered for TIME (1ms to 10s) and costs less CPU"},
     to<Value<read_latency, format_latency>, &V::merge>},
    {{"gop-cache", kDelivery, "yes|no", "yes", "",
      "keep what came since the last key frame, so that a player begins with a picture at once"},
     to<YesNo, &V::gop_cache>},
    {{"queue", kDelivery, "TIME", "10s", "",
      "what a player has not read may be so old, then it goes on at the next key frame; above 0"},
     to<TimeAbove0, &V::queue>},
    {{"jitter", kDelivery, "full|zero|off", "full", "",
      "a player's timestamps: full (from near 0, and smooth where the publisher's jump), zero "
      "(from "
      "near 0) or off (the publisher's own)"},
     to<Word<kJitters>, &V::jitter>},
    {{"publish-notify", kDelivery, "yes|no", "no", "",
      "tell players NetStream.Play.PublishNotify and UnpublishNotify when a publisher begins and "
      "ends; FFmpeg ends on the latter"},
     to<YesNo, &V::publish_notify>},

    {{"publish-allow", kAccess, "NETWORKS", "", "every address may publish",
      "only these may publish: addresses and networks such as 192.0.2.1,10.0.0.0/8,2001:db8::/32, "
      "or all; at most 256"},
     to<Value<read_networks, format_networks>, &V::publish, &AccessRules::allow>,
     "When something is allowed, all others are refused.",
     "192.0.2.1, 10.0.0.0/8, 2001:db8::/32"},
    {{"publish-deny", kAccess, "NETWORKS", "", "nobody is refused",
      "these may not publish, even when they are allowed"},
     to<Value<read_networks, format_networks>, &V::publish, &AccessRules::deny>,
     "",
     "10.1.0.0/16"},
    {{"play-allow", kAccess, "NETWORKS", "", "every address may play", "only these may play"},
     to<Value<read_networks, format_networks>, &V::play, &AccessRules::allow>,
     "",
     "all"},
    {{"play-deny", kAccess, "NETWORKS", "", "nobody is refused",
      "these may not play, even when they are allowed"},
     to<Value<read_networks, format_networks>, &V::play, &AccessRules::deny>,
     "",
     "203.0.113.0/24"},
    {{"publish-key", kAccess, "SECRET", "", "not asked for",
      "who publishes must have ?key=SECRET in the stream name"},
     to<Text<read_key>, &V::publish, &AccessRules::key>,
     "Keys and secrets may be in files: credential:NAME (a credential of systemd's) or file:/PATH.",
     "a-secret"},
    {{"play-key", kAccess, "SECRET", "", "not asked for",
      "who plays must have ?key=SECRET in the stream name"},
     to<Text<read_key>, &V::play, &AccessRules::key>,
     "",
     "another-secret"},
    {{"publish-secret", kAccess, "SECRET", "", "not asked for",
      "who publishes must have ?expires=UNIX_SECONDS&token=HMAC made with SECRET in the stream "
      "name"},
     to<Text<read_secret>, &V::publish, &AccessRules::secret>,
     "The token is the HMAC-SHA256 with this secret of publish:VHOST/APP/STREAM:UNIX_SECONDS.",
     "a-longer-secret"},
    {{"play-secret", kAccess, "SECRET", "", "not asked for", "the same for who plays"},
     to<Text<read_secret>, &V::play, &AccessRules::secret>,
     "It is made of play:VHOST/APP/STREAM:UNIX_SECONDS.",
     "another-longer-secret"},

    {{"on-connect", kHooks, "URL", "", "nobody is asked",
      "http://HOST[:PORT]/PATH that is asked whether a client may connect; HOST is a name or an "
      "address"},
     to<Text<read_hook_url>, &V::hooks, &HookSettings::on_connect>,
     "Callbacks have the form of SRS's. The first three ask, the others tell.",
     "http://127.0.0.1:8085/api/v1/clients"},
    {{"on-publish", kHooks, "URL", "", "nobody is asked", "asked whether a client may publish"},
     to<Text<read_hook_url>, &V::hooks, &HookSettings::on_publish>,
     "",
     "http://127.0.0.1:8085/api/v1/streams"},
    {{"on-play", kHooks, "URL", "", "nobody is asked", "asked whether a client may play"},
     to<Text<read_hook_url>, &V::hooks, &HookSettings::on_play>,
     "",
     "http://127.0.0.1:8085/api/v1/sessions"},
    {{"on-unpublish", kHooks, "URL", "", "nobody is told", "told when a client publishes no more"},
     to<Text<read_hook_url>, &V::hooks, &HookSettings::on_unpublish>,
     "",
     "http://127.0.0.1:8085/api/v1/streams"},
    {{"on-stop", kHooks, "URL", "", "nobody is told", "told when a client plays no more"},
     to<Text<read_hook_url>, &V::hooks, &HookSettings::on_stop>,
     "",
     "http://127.0.0.1:8085/api/v1/sessions"},
    {{"hook-timeout", kHooks, "TIME", "3s", "",
      "a callback must be answered within so long; above 0"},
     to<TimeAbove0, &V::hooks, &HookSettings::timeout>},
    {{"hook-failure", kHooks, "open|closed", "closed", "",
      "a client whose callback is not answered is let in (open) or refused (closed)"},
     to<Word<kHookFailures>, &V::hooks, &HookSettings::fail_open>,
     "One that finds no place among those who wait for an answer is refused in any case."},

    {{"publisher", kLimits, "first|silent:TIME|last", "silent:3s", "",
      "which publisher has a stream that another one wants as well: the first, also if it has "
      "vanished; the first unless nothing came from it for TIME; or the last"},
     to<Value<read_publisher, format_publisher>, &V::publisher_yields>,
     "With last, encoders that come back by themselves take a stream from each other for ever."},
    {{"max-players", kLimits, "N", "0", "",
      "players of the vhost at once, in one worker; 0: no limit"},
     to<Whole<0, kMaxCount>, &V::max_players>},
    {{"max-publishers", kLimits, "N", "0", "",
      "publishers of the vhost at once, in one worker; 0: no limit"},
     to<Whole<0, kMaxCount>, &V::max_publishers>},
    {{"max-bitrate", kLimits, "BITRATE", "0", "",
      "a publisher that sends more for some seconds is closed: 800kbit, 6Mbit; 0: no limit"},
     to<Value<read_bitrate, format_bitrate>, &V::max_bitrate>},
    {{"publish-timeout", kLimits, "TIME", "30s", "",
      "a publisher that sends nothing for so long is closed; 0: no limit"},
     to<Time, &V::publish_timeout>},
    {{"standby-timeout", kLimits, "TIME", "30s", "",
      "a client that neither publishes nor plays for so long is closed; 0: no limit"},
     to<Time, &V::standby_timeout>},
    {{"play-wait", kLimits, "TIME", "0", "",
      "a player waits so long for a publisher; 0: as long as it takes"},
     to<Time, &V::play_wait>},

    {{"upstream", kForward, "ADDRESS[ backup]", "", "none",
      "a server that clients are forwarded to, in turn: origin.example.com:1935, 192.0.2.1:1935, "
      "[2001:db8::1]:1935 or unix:/path; a backup only when all others are down; may be repeated"},
     {OptionScope::kVhost, add_upstream, show_upstreams},
     "",
     "192.0.2.1:1935",
     true},
    {{"upstream-prefix", kForward, "none|proxy-v1|proxy-v2|srs-real-ip", "none", "",
      "how upstreams are told the client's address"},
     to<Word<kUpstreamPrefixes>, &V::upstream_prefix>},
    {{"upstream-timeout", kForward, "TIME", "3s", "",
      "an upstream must connect and answer the handshake within so long; above 0"},
     to<TimeAbove0, &V::upstream_timeout>},
    {{"upstream-fails", kForward, "N", "3", "",
      "an upstream that fails so often in a row is left out for upstream-pause"},
     to<Whole<1, kMaxFails>, &V::upstream_fails>},
    {{"upstream-pause", kForward, "TIME", "10s", "", "how long such an upstream is left out"},
     to<Time, &V::upstream_pause>},
};

}  // namespace

std::span<const OptionSpec> vhost_option_table() {
  static const std::vector<OptionSpec> all = [] {
    std::vector<OptionSpec> table(std::begin(kTable), std::end(kTable));
    const auto cell = vhost_cell_option_table();
    table.insert(table.end(), cell.begin(), cell.end());
    return table;
  }();
  return all;
}

}  // namespace mpb
