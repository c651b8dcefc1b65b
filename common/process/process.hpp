// Facts about and limits of this process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb {

/// Descriptors 0 to 2 that are closed are opened on /dev/null, so that no file or socket opened
/// later gets one of these numbers, and with it what is read or written there.
void secure_standard_descriptors();

/// The first line of main of mpbroker and mpworker: prepare_signals, secure_standard_descriptors,
/// and an exception that nobody catches is told without waiting for a reader.
void begin_service();

/// From now on no other process of the same user can look into this one or take its descriptors
/// (PR_SET_DUMPABLE), and it leaves no core dump.
void hide_from_others();

/// Raises RLIMIT_NOFILE's soft limit to the hard limit (getrlimit(2)); returns what it is now.
std::uint64_t raise_descriptor_limit();
/// The same, and a line in the log, `limits`, that says what it allows.
std::uint64_t raise_and_log_descriptor_limit();
/// The most that a child of this process may have, which raises its own limit where it may.
std::uint64_t most_descriptors_of_children();
/// How many of a worker's descriptors may be clients.
std::uint64_t client_descriptors(std::uint64_t descriptor_limit);

/// Replaces this process by `program` (searched in PATH when it has no slash) with `arguments`
/// behind its name. Returns only on failure.
Error execute(const std::string& program, char* const* arguments);

/// What a process uses now (proc(5)); zeros for one that is gone.
struct ProcessUsage {
  std::uint64_t descriptors = 0;
  std::uint64_t rss_bytes = 0;
  Duration cpu{0};  // user and system time so far
};
ProcessUsage read_process_usage(pid_t pid);

}  // namespace mpb
