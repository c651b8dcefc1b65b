#include "broker/operator/service_state.hpp"

namespace mpb {

std::string_view to_string(ServiceState state) {
  switch (state) {
    case ServiceState::kRunning:
      return "running";
    case ServiceState::kDegraded:
      return "degraded";
    case ServiceState::kDown:
      return "down";
  }
  return "?";
}

ServiceView view_service(const WorkerTable& workers, Slot base, Slot acceptors) {
  ServiceView view;
  bool accepts = false;
  view.alive = false;
  for (Slot slot = 0; slot < workers.size(); ++slot) {
    const bool drains = workers.at(slot).state == WorkerState::kDraining;
    // A base worker that drains is followed by another.
    const bool cell = workers.is_cell(slot);
    const bool serves = workers.online(slot) || workers.coming(slot) || (drains && slot < base);
    accepts = accepts || (serves && !cell && slot < acceptors);
    view.alive = view.alive || serves || drains;
    if (!serves && slot < base && view.culprit == kNoSlot) view.culprit = slot;
  }
  if (!accepts) {
    view.state = ServiceState::kDown;
  } else if (view.culprit != kNoSlot) {
    view.state = ServiceState::kDegraded;
  }
  return view;
}

}  // namespace mpb
