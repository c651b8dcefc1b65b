// Tables of what answers list: a line for each column.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "common/base/counter.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {

struct Field {
  Column column;
  std::function<std::string(const boost::json::object&)> cell;  // safe for a terminal
};
using Fields = std::vector<Field>;

Field text_field(std::string_view title, std::string_view member);
Field flag_field(std::string_view title, std::string_view member);
Field count_field(std::string_view title, std::string_view member);
/// Counters of one title, at least one, added up.
Field counter_field(std::vector<CounterInfo> counters);

/// A field for each title of the counters of which `wanted(CounterInfo)` is true.
template <class Block, class Wanted>
void append_counters(Fields& fields, Wanted&& wanted) {
  std::vector<CounterInfo> group;
  const auto finish = [&] {
    if (!group.empty()) fields.push_back(counter_field(group));
    group.clear();
  };
  for (const CounterInfo& counter : Block::counters()) {
    if (counter.column.empty() || !wanted(counter)) continue;
    if (!group.empty() && group.front().column != counter.column) finish();
    group.push_back(counter);
  }
  finish();
}

/// A line for each of `entries` that is an object.
std::string table_text(const Fields& fields, const boost::json::array& entries);

}  // namespace mpb::ctl
