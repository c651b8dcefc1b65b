#include "broker/workers/reported_counters.hpp"

#include <algorithm>

namespace mpb {

void ReportedCounters::take_refusals(const channel::List<std::uint64_t>& values) {
  auto value = values.begin();
  for (std::uint64_t& count : refused) {
    if (value == values.end()) return;
    count = std::clamp(*value++, count, kMostCounted);
  }
}

void ReportedCounters::take_listener(const channel::Block& block,
                                     const std::set<std::uint16_t>& told, std::uint64_t most) {
  const std::uint64_t number = block.number;
  const bool known =
      told.contains(block.number) &&
      std::ranges::find(listeners, number, &ListenerCounters::listener) == listeners.end();
  if (!known) return;
  ListenerCounters& counters = ever[number];
  counters.listener = number;
  take_values(counters, block.counters);
  counters.clients = std::min(counters.clients, most);
  listeners.push_back(counters);
}

void ReportedCounters::take(const channel::Pong& pong, const std::set<std::uint16_t>& told,
                            std::uint64_t most) {
  listeners.clear();
  std::string_view rest = pong.blocks;
  channel::Block block;
  while (channel::next_block(rest, block)) {
    if (block.kind == channel::BlockKind::kWorker) {
      take_values(own, block.counters);
      own.clients = std::min(own.clients, most);
      own.held = std::min(own.held, most);
    } else if (block.kind == channel::BlockKind::kRefusals) {
      take_refusals(block.counters);
    } else if (block.kind == channel::BlockKind::kListener) {
      take_listener(block, told, most);
    }
  }
}

}  // namespace mpb
