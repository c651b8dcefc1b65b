// Boost's flat hash map with the hash of common/base/keyed_map.hpp. Its values move in memory when
// it grows.
#pragma once

#include <functional>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/base/keyed_map.hpp"

namespace mpb {

template <class Key, class Value>
using KeyedFlatMap = boost::unordered_flat_map<Key, Value, KeyedHash, std::equal_to<>>;

}  // namespace mpb
