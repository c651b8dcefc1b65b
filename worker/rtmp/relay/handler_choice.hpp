// Which of rtmp's handlers serves a vhost's clients.
#pragma once

#include <string_view>

#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

/// Whether clients of the vhost (as VhostTable::resolve names it) are forwarded; else they are
/// relayed.
inline bool forwards(const WorkerEnvironment& environment, const ListenerTraits& traits,
                     std::string_view vhost) {
  if (!environment.vhosts.has_handlers()) return traits.forwards;
  const VhostHandler own = environment.vhosts.find(vhost)->handler;
  return own == VhostHandler::kListeners ? traits.forwards : own == VhostHandler::kForward;
}

}  // namespace mpb::rtmp
