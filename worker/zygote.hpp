// A zygote: a process of a worker program that serves nobody and forks workers at the broker's
// word, which then need not be loaded, linked and begun. docs/channel-protocol.md has what both
// say.
#pragma once

#include <functional>

#include "common/base/error.hpp"
#include "worker/sandbox/confine.hpp"

namespace mpb {

/// Whether the broker asks this process to be one (MPBROKER_ZYGOTE).
bool is_zygote_wanted();

/// Returns in each worker that it forks, which then is as one that was begun by itself: its channel
/// is descriptor 3, no other is open, and MPBROKER_SLOT is its own. Does not return in the zygote,
/// which ends with the broker; nor where the process cannot be one, which ends at once. `prepare`
/// is called in the zygote once; what it makes each worker has, and has given up its files by it.
Result<WorkerConfinement> be_zygote(const std::function<Result<WorkerConfinement>()>& prepare);

}  // namespace mpb
