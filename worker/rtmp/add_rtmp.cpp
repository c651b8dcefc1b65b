// The protocol `rtmp` and its handlers, as a Registry has them.
#include <memory>
#include <random>

#include "mpbroker/rtmp.hpp"
#include "proto/rtmp/classifier.hpp"
#include "worker/rtmp/rtmp_handler.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

WorkerEnvironment& whole(Environment& environment) {
  return static_cast<WorkerEnvironment&>(environment);
}

std::unique_ptr<Classifier> make_rtmp_classifier(Environment& environment,
                                                 const ListenerTraits& traits) {
  rtmp::ClassifierOptions options;
  if (traits.key_is_stream) {
    options.granularity = KeyGranularity::kStream;
  } else if (traits.key_is_app) {
    options.granularity = KeyGranularity::kApp;
  }
  options.proxy_protocol = traits.proxy_protocol;
  options.srs_real_ip = traits.srs_real_ip;
  options.resolve = [&vhosts = whole(environment).vhosts](std::string_view name) {
    return vhosts.resolve(name);
  };
  std::random_device seed;
  return std::make_unique<rtmp::Classifier>(std::move(options),
                                            (std::uint64_t{seed()} << 32) | seed());
}

}  // namespace

void add_rtmp(Registry& registry) {
  registry.add_protocol("rtmp", "relay", make_rtmp_classifier);
  // Hooks and upstreams. A vhost may get some at any reload, so that both always need them.
  const Needs needs{.connect = true};
  registry.add_handler(
      "rtmp", "relay",
      [](Environment& environment, const ListenerTraits& traits) {
        return std::make_unique<rtmp::RtmpHandler>(whole(environment), traits);
      },
      needs);
  registry.add_handler(
      "rtmp", "forward",
      [](Environment& environment, ListenerTraits traits) {
        traits.forwards = true;
        return std::make_unique<rtmp::RtmpHandler>(whole(environment), traits);
      },
      needs);
}

}  // namespace mpb
