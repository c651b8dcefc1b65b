#include "bench/mpclient/settings.hpp"

#include <algorithm>

#include "bench/load/connector.hpp"

namespace mpb::load {
namespace {

// Standard streams, epoll sets, eventfds, the report file.
constexpr std::uint64_t kOwnDescriptors = 32;
constexpr std::uint64_t kMaxWitnesses = 1024;

}  // namespace

std::string_view mode_name(Mode mode) {
  switch (mode) {
    case Mode::kClosed:
      return "closed";
    case Mode::kOpen:
      return "open";
    case Mode::kPaced:
      return "paced";
    case Mode::kHold:
      return "hold";
    case Mode::kStorm:
      return "storm";
  }
  return "?";
}

unsigned sources_needed(const Settings& settings) {
  if (!is_ipv4_loopback(settings.target)) return 0;
  if (keeps_clients(settings.mode)) {
    const std::uint64_t needed = (settings.clients + kPortsPerSource - 1) / kPortsPerSource;
    return needed <= 1 ? 0 : static_cast<unsigned>(needed);
  }
  const bool few = settings.clients > 0 && settings.clients <= kPortsPerSource;
  return few || settings.reset_on_close ? 0 : kSourcesForTurnover;
}

std::uint64_t witnesses(const Settings& settings) {
  if (!settings.verify || keeps_clients(settings.mode)) return 0;
  return settings.concurrency == 0 ? kMaxWitnesses : std::min(settings.concurrency, kMaxWitnesses);
}

std::uint64_t descriptors_needed(const Settings& settings) {
  const std::uint64_t held = keeps_clients(settings.mode) ? settings.clients : settings.concurrency;
  if (held == 0) return 0;
  return held + witnesses(settings) + kOwnDescriptors + 2 * std::uint64_t{settings.threads};
}

}  // namespace mpb::load
