// What a broker and its workers have open while no client is there, and whether that comes back.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "tests/integration/harness/status.hpp"

namespace mpb::test {

class Resting {
 public:
  /// Takes the counts: nobody may be connected. `status` is empty for a single process.
  Resting(pid_t broker, const BrokerStatus& status);

  /// Once all clients have been closed: empty, or what is left over. Workers may have been
  /// replaced, come or gone meanwhile, and listeners too; one that is down for good is not looked
  /// at.
  [[nodiscard]] std::string left_over(const BrokerStatus& status) const;

 private:
  pid_t broker_;
  std::size_t broker_descriptors_;
  std::size_t processes_;
  std::size_t listeners_;
  std::map<int, std::size_t> worker_descriptors_;  // by slot
};

}  // namespace mpb::test
