// What a worker says it has counted, as far as it can be true. Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/base/counters.hpp"
#include "mpbroker/notice.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

/// Of one process. What counts up never falls and stays below 2^53, which sums and JSON bear.
struct ReportedCounters {
  WorkerCounters own;
  std::vector<ListenerCounters> listeners;         // of those that it was told of, each once
  std::map<std::uint64_t, ListenerCounters> ever;  // by number: also those that it has no more
  ReasonCounts refused{};                          // clients, by reason

  /// `told`: listeners that it ever was told of. `most`: descriptors that a process can have.
  void take(const channel::Pong& pong, const std::set<std::uint16_t>& told, std::uint64_t most);

 private:
  void take_refusals(const channel::List<std::uint64_t>& values);
  void take_listener(const channel::Block& block, const std::set<std::uint16_t>& told,
                     std::uint64_t most);
};

}  // namespace mpb
