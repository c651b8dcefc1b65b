// Room for clients at the limit of descriptors: those go first that have said nothing yet, the
// oldest before the others, so that whoever connects and is silent keeps nobody out. No client goes
// that has spoken.
#pragma once

#include "common/base/unique_fd.hpp"

namespace mpb {

struct WorkerContext;

/// Whether make_room() finds a silent client, unless all of them have spoken meanwhile.
[[nodiscard]] bool can_make_room(WorkerContext& worker);

/// Closes one silent client. False: there is none that has had its time to speak.
bool make_room(WorkerContext& worker);

/// The descriptor of a new client, with a number that a client may have (ClientTable::may_hold) if
/// there is one or room can be made.
[[nodiscard]] UniqueFd fit(WorkerContext& worker, UniqueFd client);

}  // namespace mpb
