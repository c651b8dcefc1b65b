// The environment of workers: what they need to be loaded, to know language and time zone and to
// log, and what the operator has named. Nothing else of the broker's: it may hold secrets, and ways
// to the service manager. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mpb {

/// "NAME=value" texts. `own`: the broker's environment, ended by a null pointer. `wanted`: as the
/// option worker-environment says: NAME as the broker has it, or NAME=VALUE.
std::vector<std::string> worker_environment(const char* const* own,
                                            std::span<const std::string> wanted);

}  // namespace mpb
