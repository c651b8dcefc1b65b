// Which processes have an address that somebody else wants to listen on, as far as /proc tells.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/io/endpoint.hpp"

namespace mpb {

struct AddressHolder {
  pid_t pid = 0;
  std::string program;
  bool orphaned_worker = false;  // of a broker that is dead
};

struct AddressHolders {
  std::vector<AddressHolder> processes;  // those that may be looked at
  std::optional<uid_t> user;             // of one that may not, or is none of this machine's
};

/// Takes 200 ms of the CPU at most.
AddressHolders find_address_holders(const Endpoint& endpoint);

}  // namespace mpb
