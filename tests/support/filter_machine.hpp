// What the kernel would do with a system call: an interpreter for the part of BPF that seccomp
// programs are written in.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>

namespace mpb::test {

/// The program's verdict (SECCOMP_RET_*). Throws std::runtime_error where the kernel would refuse
/// the program.
std::uint32_t run_filter(std::span<const sock_filter> program, const seccomp_data& call);

}  // namespace mpb::test
