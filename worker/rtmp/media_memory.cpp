#include "worker/rtmp/media_memory.hpp"

#include <algorithm>
#include <numeric>

namespace mpb::rtmp {

std::vector<std::size_t> MediaMemory::choose(std::span<const std::uint64_t> spare) const {
  std::vector<std::size_t> order(spare.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [spare](std::size_t a, std::size_t b) { return spare[a] > spare[b]; });
  const std::uint64_t wanted = limit_ - limit_ / kTenth;
  std::uint64_t left = used_;
  std::size_t count = 0;
  while (count < order.size() && left > wanted && spare[order[count]] > 0) {
    left -= std::min(left, spare[order[count++]]);
  }
  order.resize(count);
  return order;
}

}  // namespace mpb::rtmp
