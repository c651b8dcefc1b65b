#include "broker/reported_counters.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string_view>
#include <utility>

namespace mpb {
namespace {

constexpr std::uint64_t kMost = 1ULL << 53U;

template <class Block>
using Words = std::array<std::uint64_t, sizeof(Block) / sizeof(std::uint64_t)>;

template <class Block>
Block read_block(std::string_view words, std::size_t offset) {
  Words<Block> block{};
  const std::string_view bytes = words.substr(std::min(offset, words.size()), sizeof(Block));
  bytes.copy(reinterpret_cast<char*>(block.data()), bytes.size());
  return std::bit_cast<Block>(block);
}

/// The first `now` words say how it is now, and may fall.
template <class Block>
Block plausible(const Block& said, const Block& before, std::size_t now) {
  auto words = std::bit_cast<Words<Block>>(said);
  const auto old = std::bit_cast<Words<Block>>(before);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = std::clamp(words[i], i < now ? 0 : old[i], kMost);
  }
  return std::bit_cast<Block>(words);
}

std::vector<ListenerCounters>::const_iterator find(const std::vector<ListenerCounters>& all,
                                                   std::uint64_t listener) {
  return std::find_if(all.begin(), all.end(), [listener](const ListenerCounters& counters) {
    return counters.listener == listener;
  });
}

}  // namespace

void ReportedCounters::take(const channel::Pong& pong, const std::set<std::uint16_t>& told,
                            std::uint64_t most) {
  constexpr std::size_t kOwnNow = 3;       // clients, held, keys
  constexpr std::size_t kListenerNow = 2;  // the number, clients
  own = plausible(read_block<WorkerCounters>(pong.counters, 0), own, kOwnNow);
  own.clients = std::min(own.clients, most);
  own.held = std::min(own.held, most);
  refused = plausible(read_block<ReasonCounts>(pong.refusals, 0), refused, 0);
  std::vector<ListenerCounters> taken;
  for (std::size_t at = sizeof(WorkerCounters); at < pong.counters.size();
       at += sizeof(ListenerCounters)) {
    const auto said = read_block<ListenerCounters>(pong.counters, at);
    const bool known =
        said.listener <= UINT16_MAX && told.contains(static_cast<std::uint16_t>(said.listener));
    if (!known || find(taken, said.listener) != taken.end()) continue;
    const auto before = find(listeners, said.listener);
    taken.push_back(
        plausible(said, before == listeners.end() ? ListenerCounters{} : *before, kListenerNow));
    taken.back().clients = std::min(taken.back().clients, most);
  }
  listeners = std::move(taken);
}

}  // namespace mpb
