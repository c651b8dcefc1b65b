#include "common/config/rule_facts.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common/config/network.hpp"
#include "common/config/option_values.hpp"
#include "common/config/vhost_values.hpp"
#include "proto/protocols.hpp"

namespace mpb {
namespace {

/// By what was written: a host name has no address before it is looked up.
std::optional<Endpoint> address_of(const ListenerSettings& listener) {
  const auto endpoint = parse_endpoint(listener.listen);
  return endpoint ? std::optional(*endpoint) : std::nullopt;
}

/// Those that a text means whatever this machine's names and interfaces are.
std::vector<Endpoint> sure_addresses(std::string_view text) {
  constexpr std::string_view kLocalhost = "localhost:";
  std::vector<std::string> texts{std::string(text)};
  if (text.starts_with(kLocalhost)) {
    const std::string port(text.substr(kLocalhost.size()));
    texts = {"127.0.0.1:" + port, "[::1]:" + port};
  }
  std::vector<Endpoint> addresses;
  for (const std::string& one : texts) {
    if (auto endpoint = parse_endpoint(one)) addresses.push_back(*endpoint);
  }
  return addresses;
}

/// Whether who connects to `to` meets a listener of `at`. To connect to every address (0.0.0.0) is
/// to connect to this machine.
bool meets(const Endpoint& at, const Endpoint& to) {
  if (at == to) return true;
  if (at.family() != to.family() || at.port() != to.port()) return false;
  return (at.is_wildcard() && to.is_loopback()) || (to.is_wildcard() && at.is_loopback());
}

bool is_control_key(std::string_view key) {
  const auto number = parse_integer(key, INT32_MIN, INT32_MAX);
  return number && std::to_string(*number) == key;
}

bool is_vhost_key(std::string_view key) {
  const auto name = read_vhost_name(key);
  return name && *name == key && !key.starts_with('*');
}

}  // namespace

RuleFacts::RuleFacts(const Settings& of) : settings(of), own_program(!of.worker_program.empty()) {
  for (const ListenerSettings& listener : of.listeners) {
    own_program = own_program || !is_known(listener);  // one that was started by itself
    rtmp = rtmp || listener.protocol == kRtmp;
    relays = relays || mpb::relays(listener);
    forwards = forwards || mpb::forwards(listener);
    keys = keys || (listener.sticky && !keyless(listener, of));
    isolates_keys = isolates_keys || listener.isolate == Isolation::kKey;
    sources = sources || !is_unix(listener);
    const bool prefixed = listener.prefix != ClientPrefix::kNone;
    behind_proxy = behind_proxy || prefixed;
    relays_unix = relays_unix || (mpb::relays(listener) && is_unix(listener) && !prefixed);
    if (listener.protocol == kRtmp) {
      rtmp_listeners.push_back({listener.listen, mpb::forwards(listener)});
    }
  }
  rules_by_address = std::any_of(of.vhosts.begin(), of.vhosts.end(), [](const VhostSettings& v) {
    return limits_addresses(v.publish) || limits_addresses(v.play);
  });
}

bool relays(const ListenerSettings& listener) {
  return listener.protocol == kRtmp && (listener.handler.empty() || listener.handler == "relay");
}

bool forwards(const ListenerSettings& listener) {
  return listener.protocol == kRtmp && listener.handler == "forward";
}

bool meets(std::string_view listen, std::string_view upstream) {
  if (listen == upstream) return true;
  const std::vector<Endpoint> ours = sure_addresses(listen);
  const std::vector<Endpoint> theirs = sure_addresses(upstream);
  return std::any_of(ours.begin(), ours.end(), [&](const Endpoint& at) {
    return std::any_of(theirs.begin(), theirs.end(),
                       [&](const Endpoint& to) { return meets(at, to); });
  });
}

bool is_unix(const ListenerSettings& listener) {
  const auto address = address_of(listener);
  return address && address->family() == AF_UNIX;
}

bool keyless(const ListenerSettings& listener, const Settings& settings) {
  if (is_known(listener) && !names_keys(listener)) return true;
  return forwards(listener) && listener.key == KeyGranularity::kStream &&
         std::none_of(settings.vhosts.begin(), settings.vhosts.end(),
                      [](const VhostSettings& v) { return v.handler == VhostHandler::kRelay; });
}

bool names_keys(const ListenerSettings& listener) {
  const ProtocolName* const known = find_protocol(listener.protocol);
  return known != nullptr && known->has_keys;
}

bool is_known(const ListenerSettings& listener) {
  return find_protocol(listener.protocol) != nullptr;
}

bool limits_addresses(const AccessRules& rules) {
  return !rules.allow.empty() || !rules.deny.empty();
}

bool has_all(const std::vector<Network>& networks) {
  return std::find(networks.begin(), networks.end(), Network{}) != networks.end();
}

bool has_all_of_ipv4(const Network& network) {
  constexpr IpBytes kFirst{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return network.bits <= 96 && contains(network, kFirst);
}

bool asks_hooks(const HookSettings& hooks) {
  return !hooks.on_connect.empty() || !hooks.on_publish.empty() || !hooks.on_play.empty();
}

bool tells_hooks(const HookSettings& hooks) {
  return !hooks.on_unpublish.empty() || !hooks.on_stop.empty();
}

bool may_occur(const ListenerSettings& listener, std::string_view key) {
  if (key == kEveryKey) return true;
  if (listener.protocol == "control") return is_control_key(key);
  if (listener.protocol != kRtmp) return true;
  const auto slashes = std::count(key.begin(), key.end(), '/');
  switch (listener.key) {
    case KeyGranularity::kVhost:
      break;
    case KeyGranularity::kApp:
      return slashes >= 1;
    case KeyGranularity::kStream:
      return slashes >= 2;
  }
  return is_vhost_key(key);
}

}  // namespace mpb
