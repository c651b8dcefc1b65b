// How the process of a cell is run where its key's settings say more than those of all workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/process/child.hpp"

namespace mpb {

struct CellRun {
  std::string user;                   // as configured; empty: as other workers
  std::optional<Credentials> run_as;  // unset: likewise
  std::vector<ResourceLimit> limits;
  std::uint64_t nofile = 0;  // 0: as other workers
};

}  // namespace mpb
