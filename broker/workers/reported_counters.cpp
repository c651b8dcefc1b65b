#include "broker/workers/reported_counters.hpp"

#include <algorithm>
#include <cstddef>

#include "proto/base/byte_order.hpp"

namespace mpb {
namespace {

/// What a worker of an older build does not say stays 0.
template <class Block>
void take_block(ByteReader& words, Block& block) {
  for (const auto& counter : Block::counters()) {
    std::uint64_t& value = block.*counter.value;
    const std::uint64_t least = counter.kind == CounterKind::kNow ? 0 : value;
    value = std::clamp(words.number<std::uint64_t>(), least, kMostCounted);
  }
}

}  // namespace

void ReportedCounters::take(const channel::Pong& pong, const std::set<std::uint16_t>& told,
                            std::uint64_t most) {
  ByteReader reasons(pong.refusals);
  for (std::uint64_t& count : refused) {
    count = std::clamp(reasons.number<std::uint64_t>(), count, kMostCounted);
  }
  ByteReader words(pong.counters);
  take_block(words, own);
  own.clients = std::min(own.clients, most);
  own.held = std::min(own.held, most);
  listeners.clear();
  while (words.ok() && !words.at_end()) {
    const auto number = words.number<std::uint64_t>();
    ListenerCounters ignored;
    const bool known =
        number <= UINT16_MAX && told.contains(static_cast<std::uint16_t>(number)) &&
        std::ranges::find(listeners, number, &ListenerCounters::listener) == listeners.end();
    ListenerCounters& counters = known ? ever[number] : ignored;
    counters.listener = number;
    take_block(words, counters);
    counters.clients = std::min(counters.clients, most);
    if (known) listeners.push_back(counters);
  }
}

}  // namespace mpb
