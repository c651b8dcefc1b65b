// The system calls by which a process reaches into others or changes the machine: what no worker
// program has any use for, whatever it serves.
#pragma once

#include <cstdint>

#include "common/process/syscall_filter.hpp"

namespace mpb {

/// Whom a process may signal, as far as system calls tell: where something else draws the line
/// (Landlock, since Linux 6.12) seccomp need not.
enum class SignalRule : std::uint8_t { kItself, kLeftToOthers };

/// Adds a rule for each of them. `own`: the pid of the process that is to be held to them, which it
/// may name where it could name another.
void forbid_reaching_out(CallRules& rules, std::uint32_t own, SignalRule signals);

/// Adds those by which a process signals another than itself.
void forbid_signalling(CallRules& rules, std::uint32_t own);

}  // namespace mpb
