// What a load client asks the kernel about itself.
#pragma once

#include "common/base/unique_fd.hpp"

namespace mpb::load {

/// User and system time of all threads so far.
double cpu_seconds_used();

/// A signalfd(2) for SIGINT and SIGTERM. Blocks them in this thread, and so in all that it starts.
UniqueFd take_signals();

}  // namespace mpb::load
