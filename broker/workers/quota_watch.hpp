// The kernel counts the descriptors that a user has in flight, all processes together, against
// RLIMIT_NOFILE of whoever sends another: one worker that leaves many in sockets of its own takes
// them from everybody who runs as that user.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mpb {

/// Tries whether the kernel takes another descriptor of this process. False also when that cannot
/// be tried.
bool may_pass_no_descriptor();

/// Descriptors that wait in unix sockets.
struct QueuedDescriptors {
  std::uint64_t count = 0;
  bool hidden = false;  // a process does not let this user look (PR_SET_DUMPABLE)
};

/// Of the descriptors of a process those that are looked at: `most` from number `from` on.
struct DescriptorRange {
  std::size_t from = 0;
  std::size_t most = 0;
};

/// In those that a process has, without the one of inode `except`, and without what descriptors in
/// them have in their turn. None also when /proc does not tell.
QueuedDescriptors descriptors_queued_in(pid_t pid, ino_t except, DescriptorRange looked_at);

/// The same of a worker with all that it has started.
QueuedDescriptors descriptors_left_by(pid_t worker, ino_t except, DescriptorRange looked_at);

/// Whose they are when no more may be passed than `limit`: the index of who has a good part of
/// them; else of who alone hides them, as not all do; else of who has any. Nothing: cannot be seen.
std::optional<std::size_t> who_uses_up(std::span<const QueuedDescriptors> queued,
                                       std::uint64_t limit);

}  // namespace mpb
