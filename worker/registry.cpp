#include "worker/registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <random>

#include "proto/rtmp/classifier.hpp"
#include "worker/echo_handler.hpp"
#include "worker/rtmp/rtmp_handler.hpp"

namespace mpb {
namespace {

template <class Map>
std::string names_of(const Map& map) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::unique_ptr<Classifier> make_rtmp_classifier(Environment& environment,
                                                 const ListenerTraits& traits) {
  rtmp::ClassifierOptions options;
  options.granularity =
      traits.key_is_stream ? rtmp::KeyGranularity::kStream : rtmp::KeyGranularity::kVhost;
  options.proxy_protocol = traits.proxy_protocol;
  options.srs_real_ip = traits.srs_real_ip;
  options.resolve = [&vhosts = environment.vhosts](std::string_view name) {
    return vhosts.resolve(name);
  };
  std::random_device seed;
  return std::make_unique<rtmp::Classifier>(std::move(options),
                                            (std::uint64_t{seed()} << 32) | seed());
}

}  // namespace

Registry Registry::with_defaults() {
  Registry registry;
  registry.add_protocol("control", "echo",
                        [](auto&, auto&) { return std::make_unique<ControlClassifier>(); });
  registry.add_handler("control", "echo",
                       [](auto&, auto&) { return std::make_unique<ControlEcho>(); });
  registry.add_protocol("ping", "echo",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  registry.add_handler("ping", "echo", [](auto&, auto&) { return std::make_unique<PingEcho>(); });
  registry.add_protocol("rtmp", "relay", make_rtmp_classifier);
  // Hooks and upstreams. A vhost may get some at any reload, so that both always need them.
  const Needs needs{.connect = true};
  registry.add_handler(
      "rtmp", "relay",
      [](Environment& environment, const ListenerTraits& traits) {
        return std::make_unique<rtmp::RtmpHandler>(environment, traits);
      },
      needs);
  registry.add_handler(
      "rtmp", "forward",
      [](Environment& environment, ListenerTraits traits) {
        traits.forwards = true;
        return std::make_unique<rtmp::RtmpHandler>(environment, traits);
      },
      needs);
  return registry;
}

void Registry::add_protocol(std::string name, std::string default_handler,
                            ClassifierFactory factory) {
  Protocol& protocol = protocols_[std::move(name)];
  protocol.default_handler = std::move(default_handler);
  protocol.classifier = std::move(factory);
}

void Registry::add_handler(const std::string& protocol, const std::string& name,
                           HandlerFactory factory, Needs needs) {
  protocols_[protocol].handlers[name] = {std::move(factory), std::move(needs)};
}

Needs Registry::needs_of(std::string_view protocol, std::string_view handler) const {
  const auto found = protocols_.find(protocol);
  if (found == protocols_.end()) return {};
  const Protocol& known = found->second;
  const auto serving = known.handlers.find(handler.empty() ? known.default_handler : handler);
  return serving == known.handlers.end() ? Needs{} : serving->second.needs;
}

Needs Registry::all_needs() const {
  Needs all;
  for (const auto& [name, protocol] : protocols_) {
    for (const auto& [handler, serving] : protocol.handlers) all.add(serving.needs);
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> Registry::handlers() const {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [protocol, known] : protocols_) {
    for (const auto& [handler, factory] : known.handlers) names.emplace_back(protocol, handler);
  }
  return names;
}

Result<Registry::Service> Registry::make(std::string_view protocol, std::string_view handler,
                                         Environment& environment,
                                         const ListenerTraits& traits) const {
  const auto found = protocols_.find(protocol);
  if (found == protocols_.end() || !found->second.classifier) {
    return usage_error(fmt::format("protocol '{}' is not known to this worker: expected one of {}",
                                   protocol, names_of(protocols_)));
  }
  const Protocol& known = found->second;
  const std::string_view wanted = handler.empty() ? known.default_handler : handler;
  const auto factory = known.handlers.find(wanted);
  if (factory == known.handlers.end()) {
    return usage_error(
        fmt::format("handler '{}' is not known for protocol '{}': expected one of {}", wanted,
                    protocol, names_of(known.handlers)));
  }
  return Service{known.classifier(environment, traits),
                 factory->second.factory(environment, traits)};
}

}  // namespace mpb
