// Entries of answers as JSON objects.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <boost/json/object.hpp>

#include "common/base/counter_json.hpp"

namespace mpb {

/// A whole number is written as one.
inline boost::json::value number_value(double number) {
  if (number <= static_cast<double>(kMostCounted) && std::floor(number) == number) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

/// The columns in their order.
template <class Entry>
boost::json::object entry_object(const Entry& entry) {
  boost::json::object object;
  Entry::walk(entry, [&object]<class T>(std::string_view column, const T& value) {
    if constexpr (requires { T::counters(); }) {
      put(object, value);
    } else if constexpr (std::is_same_v<T, double>) {
      object.emplace(column, number_value(value));
    } else {
      object.emplace(column, value);
    }
  });
  return object;
}

}  // namespace mpb
