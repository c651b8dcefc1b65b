// Counters as members of a JSON object.
#pragma once

#include <functional>
#include <string_view>

#include <boost/json/object.hpp>

#include "common/base/counter.hpp"

namespace mpb {

/// "handoffs.in" becomes the member `in` of the object `handoffs`.
inline void put(boost::json::object& object, std::string_view name, std::uint64_t value) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) {
    object[name] = value;
    return;
  }
  boost::json::value& group = object[name.substr(0, dot)];
  if (!group.is_object()) group.emplace_object();
  group.get_object()[name.substr(dot + 1)] = value;
}

/// Those counters of which `wanted(CounterInfo)` is true.
template <class Block, class Wanted = bool (*)(const CounterInfo&)>
void put(boost::json::object& object, const Block& block, Wanted wanted = any_counter) {
  for (const auto& counter : Block::counters()) {
    if (std::invoke(wanted, counter)) put(object, counter.name, block.*counter.value);
  }
}

}  // namespace mpb
