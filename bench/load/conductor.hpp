// Runs the threads of a load and gives the orders that need all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load/engine.hpp"
#include "bench/load/report_parts.hpp"
#include "bench/load/run_state.hpp"

namespace mpb::load {

/// What ends a run by itself.
struct Plan {
  /// What follows once all clients have what they came for.
  enum class Then { kGoOn, kHold, kHoldAndMove };

  Then then = Then::kGoOn;
  Duration duration{0};   // 0: no bound
  Duration hold{0};       // so long nothing happens
  bool progress = false;  // shown on a terminal
};

class Conductor {
 public:
  /// Takes SIGINT and SIGTERM from this thread and all that it starts.
  explicit Conductor(const Plan& plan);

  /// For the engines; outlives them.
  RunState& state() { return run_; }

  /// Blocks until the engines, one thread for each, have ended by themselves, by the plan or by
  /// SIGINT or SIGTERM (the first lets clients in flight finish for a moment, a second one does
  /// not). What an engine throws ends the others, and is thrown here.
  RunTimes run(const std::vector<Engine*>& engines);

 private:
  void turn();
  void on_signal();
  void on_settled();
  void on_held_long_enough();
  void finish(Duration grace);
  void give(Order order);
  void show_progress();
  void clear_progress() const;
  [[nodiscard]] bool all_at_least(int waves) const;
  [[nodiscard]] TimePoint next_due() const;
  [[nodiscard]] std::uint64_t sum(std::atomic<std::uint64_t> Progress::*counter) const;

  const Plan plan_;
  RunState run_;
  UniqueFd signals_;
  std::vector<Engine*> engines_;
  const bool terminal_;

  int waves_ = 1;       // ordered so far
  int waves_seen_ = 0;  // settled so far
  TimePoint wave_start_;
  TimePoint end_of_duration_ = TimePoint::max();
  TimePoint end_of_hold_ = TimePoint::max();
  TimePoint end_of_grace_ = TimePoint::max();
  TimePoint next_progress_ = TimePoint::max();
  TimePoint last_progress_;
  std::uint64_t last_served_ = 0;
  RunTimes times_;
};

}  // namespace mpb::load
