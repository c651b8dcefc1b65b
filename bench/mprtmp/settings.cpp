#include "bench/mprtmp/settings.hpp"

#include "bench/load/connector.hpp"

namespace mpb::rtmp_load {
namespace {

// Standard streams, the epoll set, the signals, the report file.
constexpr std::uint64_t kOwnDescriptors = 32;

}  // namespace

std::uint64_t Settings::at_once() const {
  return publishers() + (churn ? concurrency : play ? clients : 0);
}

std::string mode_name(const Settings& settings) {
  std::string name = settings.publish ? "publish" : "";
  if (settings.play || settings.churn) {
    if (!name.empty()) name += '+';
    name += settings.churn ? "churn" : "play";
  }
  return name;
}

unsigned sources_needed(const Settings& settings) {
  if (!load::is_ipv4_loopback(settings.target)) return 0;
  if (settings.churn && !settings.reset_on_close &&
      (settings.clients == 0 || settings.clients > load::kPortsPerSource)) {
    return load::kSourcesForTurnover;
  }
  const std::uint64_t needed =
      (settings.at_once() + load::kPortsPerSource - 1) / load::kPortsPerSource;
  return needed <= 1 ? 0 : static_cast<unsigned>(needed);
}

std::uint64_t descriptors_needed(const Settings& settings) {
  return settings.at_once() + kOwnDescriptors;
}

}  // namespace mpb::rtmp_load
