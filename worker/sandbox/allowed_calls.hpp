// The system calls of a worker that is ready: those that serving clients takes, and what its
// handlers have declared.
#pragma once

#include <cstdint>
#include <vector>

#include "common/process/syscall_filter.hpp"
#include "mpbroker/worker.hpp"

namespace mpb {

/// `own`: the worker's pid. What is known and not allowed fails with EPERM, what is unknown with
/// ENOSYS, so that libraries take an older call instead.
std::vector<sock_filter> worker_filter(const Needs& needs, std::uint32_t own);

/// The same in two parts for a worker that is forked, of which the second is short. The first is
/// its zygote's, which it inherits; `most`: what any of the zygote's workers needs.
std::vector<sock_filter> zygote_filter(const Needs& most);
std::vector<sock_filter> forked_filter(const Needs& needs, const Needs& most, std::uint32_t own);

}  // namespace mpb
