#include "worker/registry_lookup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

namespace mpb {
namespace {

/// `names` must not be empty.
Error unknown(const std::string& what, const std::vector<std::string_view>& names) {
  return usage_error(fmt::format("{}: expected one of {}", what, fmt::join(names, ", ")));
}

Error unknown_protocol(const Registry& registry, std::string_view protocol) {
  std::vector<std::string_view> names;
  for (const auto& [name, known] : registry.protocols()) {
    if (known.classifier) names.push_back(name);
  }
  if (names.empty()) return usage_error("this worker program has added no protocol");
  return unknown(fmt::format("protocol '{}' is not known to this worker", protocol), names);
}

Error unknown_handler(const Registry::Protocol& known, std::string_view protocol,
                      std::string_view handler) {
  std::vector<std::string_view> names;
  for (const auto& [name, serving] : known.handlers) names.push_back(name);
  if (names.empty()) {
    return usage_error(
        fmt::format("this worker program has added no handler for protocol '{}'", protocol));
  }
  return unknown(fmt::format("handler '{}' is not known for protocol '{}'", handler, protocol),
                 names);
}

struct Found {
  const Registry::Protocol* protocol;
  const Registry::Serving* serving;
};

Result<Found> find(const Registry& registry, std::string_view protocol, std::string_view handler) {
  const auto found = registry.protocols().find(protocol);
  if (found == registry.protocols().end() || !found->second.classifier) {
    return unknown_protocol(registry, protocol);
  }
  const Registry::Protocol& known = found->second;
  const std::string_view wanted = handler.empty() ? known.default_handler : handler;
  const auto serving = known.handlers.find(wanted);
  if (serving == known.handlers.end()) return unknown_handler(known, protocol, wanted);
  return Found{&known, &serving->second};
}

}  // namespace

Status check_listener(const Registry& registry, std::string_view protocol,
                      std::string_view handler) {
  const auto found = find(registry, protocol, handler);
  return found ? Status() : Status(found.error());
}

Result<ServedListener> make_listener(const Registry& registry, std::string_view protocol,
                                     std::string_view handler, Environment& environment,
                                     const ListenerTraits& traits) {
  const auto found = find(registry, protocol, handler);
  if (!found) return found.error();
  ServedListener listener;
  listener.classifier = found->protocol->classifier(environment, traits);
  listener.handler = found->serving->factory(environment, traits);
  return listener;
}

Needs needs_of(const Registry& registry, std::string_view protocol, std::string_view handler) {
  const auto found = find(registry, protocol, handler);
  return found ? found->serving->needs : Needs{};
}

Needs all_needs(const Registry& registry) {
  Needs all;
  for (const auto& [name, protocol] : registry.protocols()) {
    for (const auto& [handler, serving] : protocol.handlers) all.add(serving.needs);
  }
  return all;
}

}  // namespace mpb
