// The main function of a worker program: under a broker (its channel is descriptor 3 and
// MPBROKER_CHANNEL=3 is in the environment), or alone with --listen.
#pragma once

#include "worker/registry.hpp"

namespace mpb {

/// Returns the exit code: 0, 1 (failure) or 2 (wrong usage or configuration).
int worker_main(int argc, char** argv, const Registry& registry);

}  // namespace mpb
