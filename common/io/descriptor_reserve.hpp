// Descriptors kept for what comes and goes: clients on their way, files that are read. The kernel
// gives the lowest free number; so as long as what stays open has low numbers only, those at the
// end of RLIMIT_NOFILE remain for the rest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpb {

/// RLIMIT_NOFILE as it is now.
std::uint64_t descriptor_limit();
/// How many of `descriptor_limit` are kept.
std::uint64_t descriptor_reserve(std::uint64_t descriptor_limit);
/// Whether this descriptor may stay open: it is none of those that are kept.
bool may_stay_open(int fd);
/// Whether this one may be used besides a client's own for as long as the client is here: half of
/// those that are kept are left.
bool may_assist_a_client(int fd);
/// Whether may_stay_open() would hold for the next `count` ones.
bool has_descriptors_for(std::size_t count);

}  // namespace mpb
