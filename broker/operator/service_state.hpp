// Whether clients that come are served. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/dispatch/worker_table.hpp"

namespace mpb {

enum class ServiceState : std::uint8_t {
  kRunning,
  kDegraded,  // a base worker is down, and does not come soon; others serve
  kDown,      // no worker that accepts is online or coming
};
std::string_view to_string(ServiceState state);

struct ServiceView {
  ServiceState state = ServiceState::kRunning;
  Slot culprit = kNoSlot;  // the first base worker that is down
  bool alive = true;       // a worker has clients, or will have some
};

/// `base`: slots 0 to base-1 are to be online; `acceptors`: those below accept.
ServiceView view_service(const WorkerTable& workers, Slot base, Slot acceptors);

}  // namespace mpb
