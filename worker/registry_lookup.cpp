#include "worker/registry_lookup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

namespace mpb {
namespace {

template <class Map>
std::string names_of(const Map& map) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Result<Service> make_service(const Registry& registry, std::string_view protocol,
                             std::string_view handler, Environment& environment,
                             const ListenerTraits& traits) {
  const auto found = registry.protocols().find(protocol);
  if (found == registry.protocols().end() || !found->second.classifier) {
    return usage_error(fmt::format("protocol '{}' is not known to this worker: expected one of {}",
                                   protocol, names_of(registry.protocols())));
  }
  const Registry::Protocol& known = found->second;
  const std::string_view wanted = handler.empty() ? known.default_handler : handler;
  const auto serving = known.handlers.find(wanted);
  if (serving == known.handlers.end()) {
    return usage_error(
        fmt::format("handler '{}' is not known for protocol '{}': expected one of {}", wanted,
                    protocol, names_of(known.handlers)));
  }
  Service service;
  service.classifier = known.classifier(environment, traits);
  service.handler = serving->second.factory(environment, traits);
  return service;
}

Needs needs_of(const Registry& registry, std::string_view protocol, std::string_view handler) {
  const auto found = registry.protocols().find(protocol);
  if (found == registry.protocols().end()) return {};
  const Registry::Protocol& known = found->second;
  const auto serving = known.handlers.find(handler.empty() ? known.default_handler : handler);
  return serving == known.handlers.end() ? Needs{} : serving->second.needs;
}

Needs all_needs(const Registry& registry) {
  Needs all;
  for (const auto& [name, protocol] : registry.protocols()) {
    for (const auto& [handler, serving] : protocol.handlers) all.add(serving.needs);
  }
  return all;
}

}  // namespace mpb
