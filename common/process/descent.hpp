// Who descends from whom (proc(5)), and a mark that every descendant of a process has.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace mpb {

/// The children of this process: those it has started and, if it is their subreaper (prctl(2)) or
/// process 1, those it was given; also those that have ended and nobody has waited for.
std::vector<pid_t> own_children();

/// The children of another process.
std::vector<pid_t> children_of(pid_t pid);

/// The children of a process and theirs in turn, without itself; `most` of them at most.
std::vector<pid_t> descendants_of(pid_t pid, std::size_t most);

/// Nothing: there is no such process, or it is hidden from this user.
std::optional<pid_t> parent_of(pid_t pid);

/// For a process between fork and exec: it is given its orphans while it lives, and all that
/// descend from it have a mark which only a privileged process can take off. Async-signal-safe.
void begin_descent();
/// Whether it descends from a process that called begin_descent and that this process started.
bool has_mark_of_descent(pid_t pid);

}  // namespace mpb
