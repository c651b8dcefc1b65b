// The few things that the guard wants of the system besides its service.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace mpb::guard {

std::int64_t now_ms();

/// One line to standard error, if that takes it at once: `fields` as the others' log lines have
/// them. No allocation, once it was called.
[[gnu::format(printf, 2, 3)]] void tell(const char* level, const char* fields, ...);

/// Children that this process has already were started by whatever it was before: they are none of
/// the service's.
void remember_strangers();
/// Whether `pid` descends from this process, but from no such child. Those that are gone do not.
bool is_descendant(pid_t pid);

/// What RLIMIT_NOFILE was; its soft limit is the hard one afterwards.
void raise_descriptor_limit();
/// The soft limit that this process was started with. Async-signal-safe.
void restore_descriptor_limit();

/// The kernel takes others first when memory is short, as far as this process may ask for it.
void lower_oom_score();
/// What this process was started with. Async-signal-safe.
void restore_oom_score();

}  // namespace mpb::guard
