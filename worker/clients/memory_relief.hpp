// Keeps a worker's clients within the memory that they may have: at the end of a turn, MemoryBudget
// says who gives up what.
#pragma once

#include <array>
#include <cstdint>

#include "worker/clients/memory_budget.hpp"
#include "worker/clients/memory_reserve.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {

class MemoryRelief final : private MemoryKeeper {
 public:
  MemoryRelief(WorkerContext& worker, WorkerEnvironment& environment)
      : worker_(worker), environment_(environment) {}
  MemoryRelief(const MemoryRelief&) = delete;
  MemoryRelief& operator=(const MemoryRelief&) = delete;

  void end_turn();

 private:
  void list_memory(std::vector<MemoryShare>& shares) override;
  void relieve(const MemoryShare& share, Relief relief) override;
  void tell(std::uint64_t before, bool refused);

  WorkerContext& worker_;
  WorkerEnvironment& environment_;
  MemoryReserve reserve_;
  std::array<std::uint64_t, 3> untold_{};  // of each Relief, since the last line about it
  TimePoint next_line_{};
};

}  // namespace mpb
