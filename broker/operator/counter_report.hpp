// Counters as members of the status.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>

#include "common/base/counter.hpp"

namespace mpb {

/// "handoffs.in" becomes the member `in` of the object `handoffs`.
void put(boost::json::object& report, std::string_view name, std::uint64_t value);

/// Those counters of which `wanted(CounterInfo)` is true.
template <class Block, class Wanted>
void put(boost::json::object& report, const Block& block, Wanted&& wanted) {
  for (const auto& counter : Block::counters()) {
    if (wanted(counter)) put(report, counter.name, block.*counter.value);
  }
}

template <class Block>
void put(boost::json::object& report, const Block& block) {
  put(report, block, [](const CounterInfo&) { return true; });
}

}  // namespace mpb
