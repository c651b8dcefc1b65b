// What an operator can set that every worker goes by. One struct in the configuration, on the
// channel (Configure) and in the worker.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "common/base/units.hpp"
#include "proto/channel/list.hpp"

namespace mpb {

/// What a worker does when its channel ends, as Configure says it.
enum class AfterBroker : std::uint32_t {
  kServe = 0,      // it serves the clients that it has to their end
  kDrain = 1,      // it drains
  kFollowers = 2,  // it drains; but the channel outlives a broker, and another may take it over
};

struct WorkerSettings {
  std::uint32_t max_clients = 0;         // soft limit; 0: none
  std::uint32_t clients_per_source = 0;  // per source address; 0: no limit
  Duration silence_timeout{60'000};      // accepted to first byte; 0: none
  Duration header_timeout{10'000};       // first byte to routed; 0: none
  Duration idle_timeout{0};              // 0: none
  Duration send_timeout{10'000};  // a client that reads nothing of its answers for so long; 0: none
  Duration route_timeout{10'000};  // a client waits so long for a place
  Duration key_linger{1'000};      // a key keeps its owner so long after its last client
  Duration drain_timeout{30'000};
  std::uint64_t gop_memory = 0;  // bytes that may be kept for players to begin with; 0: no bound
  std::uint64_t media_memory = 512ULL << 20;  // bytes held for clients in all; 0: no bound

  std::uint32_t cell = 0;  // 1: it serves one key or one client; by the broker, not the operator
  std::uint32_t after_broker = 0;  // AfterBroker; by the broker

  /// In the order of the channel (docs/channel-protocol.md, section 4): new ones come at the end.
  template <class Self, class F>
  static void walk(Self& s, F&& visit) {
    visit(s.max_clients);
    visit(s.clients_per_source);
    visit(s.silence_timeout);
    visit(s.header_timeout);
    visit(s.idle_timeout);
    visit(s.send_timeout);
    visit(s.route_timeout);
    visit(s.key_linger);
    visit(s.drain_timeout);
    visit(s.gop_memory);
    visit(s.media_memory);
    visit(s.cell);
    visit(s.after_broker);
  }
};

/// As Configure has them: times in ms.
inline std::vector<std::uint64_t> values_of(const WorkerSettings& settings) {
  std::vector<std::uint64_t> values;
  WorkerSettings::walk(settings, [&values](const auto& setting) {
    if constexpr (std::is_same_v<decltype(setting), const Duration&>) {
      values.push_back(static_cast<std::uint64_t>(std::max(setting, Duration{0}).count()));
    } else {
      values.push_back(setting);
    }
  });
  return values;
}

/// Those that are not there have their defaults; what a newer broker says besides is skipped.
inline WorkerSettings settings_of(const channel::List<std::uint64_t>& values) {
  WorkerSettings settings;
  auto next = values.begin();
  WorkerSettings::walk(settings, [&](auto& setting) {
    if (next == values.end()) return;
    const std::uint64_t value = *next++;
    if constexpr (std::is_same_v<decltype(setting), std::uint64_t&>) {
      setting = value;
    } else {  // 49 days, so that sums of times do not overflow
      using Setting = std::remove_reference_t<decltype(setting)>;
      setting = Setting(static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX)));
    }
  });
  return settings;
}

}  // namespace mpb
