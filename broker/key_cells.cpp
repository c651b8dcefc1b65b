// Broker: how the cells of keys are run, and for how long.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "broker/broker.hpp"
#include "common/process/process.hpp"

namespace mpb {

/// Keys of listeners of one protocol are the same: the shortest time counts for all.
std::map<std::uint16_t, Duration> Broker::rollovers() const {
  std::map<std::uint16_t, Duration> times;
  for (const auto& [number, listener] : listeners_.all()) {
    const Duration time = listener.settings.rollover;
    if (time == Duration{0} || listener.rules.isolate != Isolation::kKey) continue;
    const auto [place, first] = times.emplace(listener.rules.space, time);
    place->second = std::min(place->second, time);
  }
  return times;
}

const CellSettings* Broker::plan_of(std::string_view name) const {
  const KeyName parsed = parse_key_name(name);
  return plans_.find(listeners_.protocol_of(parsed.space), parsed.key);
}

const CellSettings* Broker::plan_of(Slot slot) const {
  return cells_.role(slot) == CellRole::kKey ? plan_of(cells_.name(slot)) : nullptr;
}

UniqueFd Broker::enter_group(Slot slot) {
  GroupLimits limits;
  if (const CellSettings* plan = plan_of(slot)) {
    limits.memory_max = plan->memory_max;
    if (plan->cpu_weight != kUsualCpuWeight) limits.cpu_weight = plan->cpu_weight;
  }
  return remains_.enter(slot, limits);
}

std::optional<CellRun> Broker::cell_run(Slot slot, bool in_group) {
  const CellSettings* plan = plan_of(slot);
  if (plan == nullptr) return std::nullopt;
  return plans_.run(*plan, in_group && remains_.can_limit());
}

void Broker::prepare_cells() {
  if (plans_.want_groups()) {
    const std::string why = remains_.prepare_limits();
    if (!why.empty() && !std::exchange(told_of_groups_, true)) {
      log_warning("limits")("missing", "control groups for memory-max and cpu-weight")("why", why)(
          "instead",
          "memory-max is RLIMIT_DATA, which does not count shared memory, and cpu-weight does "
          "nothing")("help", "have the service manager give mpbroker some: Delegate=yes");
    }
  }
  const std::uint64_t wanted = plans_.most_descriptors();
  const std::uint64_t possible = most_descriptors_of_children();
  if (wanted > possible && !std::exchange(told_of_descriptors_, true)) {
    log_warning("limits")("missing", fmt::format("nofile = {}", wanted))("instead", possible)(
        "help", "raise mpbroker's hard limit: LimitNOFILE=, fs.nr_open");
  }
}

}  // namespace mpb
