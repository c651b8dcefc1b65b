// RTMP as mpworker serves it, for a worker program that has it beside other protocols. In the
// target mpbroker::rtmp: find_package(mpbroker COMPONENTS rtmp).
#pragma once

#include "mpbroker/worker.hpp"

namespace mpb {

/// The protocol `rtmp` with the handlers `relay` and `forward`.
void add_rtmp(Registry& registry);

}  // namespace mpb
