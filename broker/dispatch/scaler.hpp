// When to start extra workers and when to retire them. Pure: the caller brings the clock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

struct ScalerRules {
  Slot base = 1;                // workers that are always there: slots 0 to base-1
  Slot maximum = 1;             // of all workers
  std::uint32_t grow_at = 100;  // % of the online workers' soft limits
  Duration linger{0};           // an extra worker that was empty for so long is retired
};

class Scaler {
 public:
  explicit Scaler(ScalerRules rules) : rules_(rules) {}
  void set_rules(ScalerRules rules) { rules_ = rules; }
  [[nodiscard]] const ScalerRules& rules() const { return rules_; }

  /// How many extra workers to start now, given `waiting` clients that found no room.
  [[nodiscard]] std::size_t wanted(const WorkerTable& workers, std::size_t waiting) const;
  /// True when waiting for room makes sense: a worker is coming, or may be started.
  [[nodiscard]] bool room_may_come(const WorkerTable& workers) const;
  /// A slot without a process, for an extra worker.
  [[nodiscard]] std::optional<Slot> free_slot(const WorkerTable& workers) const;
  /// The extra workers that have been empty for the linger time. Call it now and then.
  std::vector<Slot> to_retire(const WorkerTable& workers, TimePoint now);
  [[nodiscard]] bool is_extra(Slot slot) const { return slot >= rules_.base; }

 private:
  [[nodiscard]] std::size_t alive(const WorkerTable& workers) const;

  ScalerRules rules_;
  std::vector<std::optional<TimePoint>> empty_since_;  // by slot
};

}  // namespace mpb
