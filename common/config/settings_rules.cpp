// What must hold between settings: the contradictions that SettingsBuilder refuses.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/config/option_values.hpp"
#include "common/config/settings_builder.hpp"
#include "proto/protocols.hpp"

namespace mpb {
namespace {

constexpr std::string_view kAnyPort = ":0";  // the kernel chooses: never the same

/// Nothing: the kernel chooses. A host name stands for itself until it is looked up.
std::optional<std::string> fixed_address(const ListenerSettings& listener) {
  const std::string text =
      listener.endpoints.empty() ? listener.listen : listener.endpoints.front().to_string();
  const bool is_unix = text.starts_with("unix:");
  if (!is_unix && text.ends_with(kAnyPort)) return std::nullopt;
  return text;
}

/// Whether one of the two has every address of the other's port.
bool covers(std::string_view one, std::string_view other) {
  if (one.substr(one.rfind(':') + 1) != other.substr(other.rfind(':') + 1)) return false;
  const auto a = parse_endpoint(one);
  const auto b = parse_endpoint(other);
  return a && b && a->family() == b->family() && a->port() != 0 && a->port() == b->port() &&
         (a->is_wildcard() || b->is_wildcard());
}

template <class Names>
std::string list_of(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string protocol_names() {
  std::vector<std::string_view> names;
  for (const ProtocolName& protocol : kProtocols) names.push_back(protocol.name);
  return list_of(names);
}

}  // namespace

bool forwards_to_nowhere(const ListenerSettings& listener,
                         const std::vector<VhostSettings>& vhosts) {
  if (!forwards(listener)) return false;
  const auto relayed = [](const VhostSettings& vhost) {
    return vhost.handler == VhostHandler::kRelay;
  };
  if (!vhosts.empty() && std::ranges::all_of(vhosts, relayed)) return false;
  return std::ranges::all_of(vhosts, [&](const VhostSettings& vhost) {
    return relayed(vhost) || vhost.upstreams.empty();
  });
}

Status check_vhost(const VhostSettings& vhost) {
  if (vhost.handler != VhostHandler::kForward || !vhost.upstreams.empty()) return {};
  return usage_error("there is no upstream: expected upstream = ADDRESS as well");
}

std::string SettingsBuilder::describe_global(std::string_view option,
                                             std::string_view default_value) const {
  const Assignment* assignment = written({}, option);
  return assignment != nullptr ? describe(*assignment)
                               : fmt::format("{} = {} (default)", option, default_value);
}

/// Told from the side that was written, since that is where the operator can mend it.
Error SettingsBuilder::contradiction(std::string_view option, std::string_view default_value,
                                     std::string_view other, std::string_view other_default,
                                     std::string_view expected) const {
  if (written({}, option) == nullptr) {
    std::swap(option, other);
    std::swap(default_value, other_default);
  }
  return usage_error(fmt::format("{}: contradicts '{}': expected {}",
                                 describe_global(option, default_value),
                                 describe_global(other, other_default), expected));
}

Status SettingsBuilder::check_workers() const {
  const Settings& s = settings_;
  if (!readable({}, {"ping-limit", "ping-interval", "workers", "max-workers", "acceptors"})) {
    return {};
  }
  if (s.ping_limit <= s.ping_interval) {
    return contradiction("ping-limit", format_duration(s.ping_limit), "ping-interval",
                         format_duration(s.ping_interval), "ping-limit above ping-interval");
  }
  if (s.workers == 0) return {};
  const std::string workers = fmt::to_string(s.workers);
  if (s.max_workers && *s.max_workers < s.workers) {
    return contradiction("max-workers", "", "workers", workers,
                         "max-workers to be at least workers");
  }
  if (s.acceptors && *s.acceptors == 0) {
    return usage_error(fmt::format("{}: expected at least 1: somebody must accept the clients",
                                   describe_global("acceptors", "")));
  }
  if (s.acceptors && *s.acceptors > s.workers) {
    return contradiction("acceptors", "", "workers", workers, "acceptors to be at most workers");
  }
  return {};
}

void SettingsBuilder::check_addresses(std::string_view source) {
  // A section that could not be read may have been one.
  if (settings_.listeners.empty() && problems_.empty()) {
    problems_.add(fmt::format(
        "{}: no listener: give --listen ADDRESS or a [listener NAME] section with listen = ADDRESS",
        source));
  }
  std::map<std::string, std::string> taken;  // address, by whom
  if (!settings_.control_socket.empty()) {
    taken.emplace("unix:" + settings_.control_socket, describe_global("control-socket", ""));
  }
  for (const ListenerSettings& listener : settings_.listeners) {
    if (!readable(listener.name, {"listen"})) continue;
    const Assignment* listen = written(listener.name, "listen");
    if (listen == nullptr) {
      problems_.add(fmt::format("{}: listen is missing: expected listen = ADDRESS",
                                listeners_.at(listener.name).second));
      continue;
    }
    const auto address = fixed_address(listener);
    if (!address) continue;
    const auto other = std::ranges::find_if(taken, [&](const auto& one) {
      return one.first == *address || covers(one.first, *address);
    });
    if (other == taken.end()) {
      taken.emplace(*address, describe(*listen));
    } else {
      problems_.add(fmt::format("{}: the address is taken by '{}': expected another one",
                                describe(*listen), other->second));
    }
  }
}

/// A worker program of the operator's own knows its names itself.
Status SettingsBuilder::check_protocol(const ListenerSettings& listener) const {
  if (!settings_.worker_program.empty() || !readable({}, {"worker-program"}) ||
      !readable(listener.name, {"protocol", "handler"})) {
    return {};
  }
  const ProtocolName* protocol = find_protocol(listener.protocol);
  if (protocol == nullptr) {
    return usage_error(
        fmt::format("{}: expected one of {} (others need a worker-program that knows them)",
                    describe(*written(listener.name, "protocol")), protocol_names()));
  }
  const auto& handlers = protocol->handlers;
  if (listener.handler.empty() ||
      std::find(handlers.begin(), handlers.end(), listener.handler) != handlers.end()) {
    return {};
  }
  return usage_error(fmt::format(
      "{}: expected one of {} for protocol {} (others need a worker-program that knows them)",
      describe(*written(listener.name, "handler")), list_of(handlers), listener.protocol));
}

Status SettingsBuilder::check_upstreams(const ListenerSettings& listener) const {
  if (!settings_.worker_program.empty()) return {};
  // Among what could not be read there may be one.
  if (!problems_.empty() || !forwards_to_nowhere(listener, settings_.vhosts)) return {};
  return usage_error(
      fmt::format("{}: there is no upstream: expected upstream = ADDRESS in a [vhost NAME] section",
                  describe(*written(listener.name, "handler"))));
}

/// Among what cannot be read there may be what is missing: not to be asked then.
void SettingsBuilder::check_vhosts() {
  for (const VhostSettings& vhost : settings_.vhosts) {
    const Status sound = check_vhost(vhost);
    if (sound) continue;
    const auto where = written_.find(Key{vhost.name, "vhost handler"});
    problems_.add(fmt::format("{}: {}",
                              where != written_.end() ? describe(where->second) : vhost.name,
                              sound.error().text));
  }
}

/// In a single process every key is served by it.
Status SettingsBuilder::check_pins(const ListenerSettings& listener) const {
  if (settings_.workers == 0 || !readable({}, {"workers", "max-workers"})) return {};
  for (const Pin& pin : listener.pins) {
    const std::uint16_t slot = *std::max_element(pin.slots.begin(), pin.slots.end());
    if (slot < settings_.worker_limit()) continue;
    return usage_error(fmt::format(
        "{}: there is no slot {}: expected slots from 0 to {} ({})",
        describe(*written(listener.name, "route " + pin.key)), slot, settings_.worker_limit() - 1,
        settings_.max_workers ? describe_global("max-workers", "")
                              : describe_global("workers", fmt::to_string(settings_.workers))));
  }
  return {};
}

}  // namespace mpb
