// The kernel counts the descriptors that a user has in flight, all processes together, against
// RLIMIT_NOFILE of whoever sends another: one worker that leaves many in sockets of its own takes
// them from everybody who runs as that user.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace mpb {

/// Tries whether the kernel takes another descriptor of this process. False also when that cannot
/// be tried.
bool may_pass_no_descriptor();

/// How many descriptors wait in the unix sockets that a process has, without the one of inode
/// `except`, and without what descriptors in them have in their turn. Looks at `most` descriptors
/// at most; 0 also when /proc does not tell.
std::uint64_t descriptors_queued_in(pid_t pid, ino_t except, std::size_t most);

}  // namespace mpb
