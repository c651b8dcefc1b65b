// Tables of what answers list: a line for each column, as wide as its widest cell.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "common/base/counter.hpp"

namespace mpb::ctl {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string_view title;
  std::function<std::string(const boost::json::object&)> cell;  // safe for a terminal
  Align align = Align::kRight;
};
using Columns = std::vector<Column>;

Column text_column(std::string_view title, std::string_view member);
Column flag_column(std::string_view title, std::string_view member);
Column count_column(std::string_view title, std::string_view member);

/// A column for each title; counters of one title are added up.
void append_counters(Columns& columns, const std::vector<CounterInfo>& counters);
/// Of those that have a title and of which `wanted(CounterInfo)` is true.
template <class Block, class Wanted = bool (*)(const CounterInfo&)>
void append_counters(Columns& columns, Wanted wanted = any_counter) {
  std::vector<CounterInfo> counters;
  for (const CounterInfo& counter : Block::counters()) {
    if (!counter.column.empty() && std::invoke(wanted, counter)) counters.push_back(counter);
  }
  append_counters(columns, counters);
}

/// One line for the titles and one for each of `entries` that is an object; no blanks at their
/// ends.
std::string table_text(const Columns& columns, const boost::json::array& entries);

}  // namespace mpb::ctl
