// Runs the threads of a load, gives the orders that need all of them, and sums up.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "bench/mpclient/load_thread.hpp"
#include "bench/mpclient/report.hpp"
#include "bench/mpclient/run_state.hpp"
#include "common/base/error.hpp"

namespace mpb::load {

class Conductor {
 public:
  /// `descriptors`: how many this process may have. An error when the load needs more.
  static Result<std::unique_ptr<Conductor>> create(const Settings& settings,
                                                   std::uint64_t descriptors);

  /// Blocks until the load has ended by itself, by --duration or by SIGINT or SIGTERM (the first
  /// lets clients in flight finish for a moment, a second one does not).
  Report run();

 private:
  Conductor(Settings settings, std::size_t clients_at_once);

  void start_threads();
  void turn();
  void on_signal();
  void on_settled();
  void on_held_long_enough();
  void finish(Duration grace);
  void give(Order order);
  void show_progress();
  void clear_progress();
  [[nodiscard]] bool all_at_least(int waves) const;
  [[nodiscard]] TimePoint next_due() const;
  [[nodiscard]] std::uint64_t sum(std::atomic<std::uint64_t> Progress::*counter) const;
  [[nodiscard]] double seconds_since(TimePoint start) const;
  Report make_report(double cpu_seconds) const;

  Settings settings_;
  RunState run_;
  UniqueFd signals_;
  std::vector<std::unique_ptr<LoadThread>> loads_;
  std::vector<std::jthread> threads_;
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
  double first_wave_seconds_ = 0;
  double second_wave_seconds_ = 0;
  bool interrupted_ = false;
};

}  // namespace mpb::load
