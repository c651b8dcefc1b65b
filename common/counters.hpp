// What a worker counts, in the order of Pong on the channel (docs/channel-protocol.md): a change
// here is a change of the protocol version.
#pragma once

#include <cstdint>

namespace mpb {

/// Of one listener in one worker.
struct ListenerCounters {
  std::uint64_t listener = 0;  // its number
  std::uint64_t clients = 0;   // now: all descriptors of this listener held here
  std::uint64_t accepted = 0;
  std::uint64_t adopted = 0;     // handoffs in
  std::uint64_t handed_off = 0;  // handoffs out: settled
  std::uint64_t kept = 0;        // offered to the broker, kept by its word
  std::uint64_t nacked = 0;      // deliveries refused
  std::uint64_t retried = 0;     // handoffs offered again
  std::uint64_t rejected_busy = 0;
  std::uint64_t rejected_input = 0;   // broke the protocol
  std::uint64_t rejected_header = 0;  // header time limit
  std::uint64_t rejected_source = 0;  // too many from one address
  std::uint64_t closed_idle = 0;
  std::uint64_t closed_slow = 0;       // did not read its answers
  std::uint64_t closed_unsettled = 0;  // no verdict within the route time limit
};
inline constexpr std::size_t kListenerCounters = sizeof(ListenerCounters) / sizeof(std::uint64_t);

/// Of the whole worker.
struct WorkerCounters {
  std::uint64_t clients = 0;  // now: routed ones
  std::uint64_t held = 0;     // now: all client descriptors
  std::uint64_t keys_owned = 0;
  std::uint64_t accept_pauses = 0;
  std::uint64_t queue_high_water = 0;  // of the channel
};
inline constexpr std::size_t kWorkerCounters = sizeof(WorkerCounters) / sizeof(std::uint64_t);

}  // namespace mpb
