#include "mpctl/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mpctl/answer.hpp"
#include "mpctl/safe_text.hpp"
#include "mpctl/status_text.hpp"

namespace mpb::ctl {
namespace {

using boost::json::object;

constexpr std::string_view kGap = "  ";

void append_cell(std::string& line, std::string_view cell, std::size_t width, Align align) {
  const std::size_t padding = width - width_of(cell);
  if (align == Align::kRight) line.append(padding, ' ');
  line += cell;
  if (align == Align::kLeft) line.append(padding, ' ');
}

std::string with_unit(std::uint64_t value, CounterUnit unit) {
  if (unit == CounterUnit::kBytes) return short_size(value);
  return unit == CounterUnit::kMilliseconds ? short_time(value) : fmt::to_string(value);
}

}  // namespace

Column text_column(std::string_view title, std::string_view member) {
  return {title, [member](const object& entry) { return text(entry, member); }, Align::kLeft};
}

Column flag_column(std::string_view title, std::string_view member) {
  return {title,
          [member](const object& entry) { return std::string(flag(entry, member) ? "yes" : "no"); },
          Align::kLeft};
}

Column count_column(std::string_view title, std::string_view member) {
  return {title, [member](const object& entry) { return count_text(entry, member); }};
}

void append_counters(Columns& columns, const std::vector<CounterInfo>& counters) {
  std::vector<std::vector<CounterInfo>> groups;
  for (const CounterInfo& counter : counters) {
    const auto known = std::ranges::find_if(
        groups, [&counter](const auto& group) { return group.front().column == counter.column; });
    if (known == groups.end()) {
      groups.push_back({counter});
    } else {
      known->push_back(counter);
    }
  }
  for (const std::vector<CounterInfo>& group : groups) {
    const auto sum = [group](const object& entry) {
      std::uint64_t total = 0;
      for (const CounterInfo& counter : group) total += number_at(entry, counter.name).value_or(0);
      return with_unit(total, group.front().unit());
    };
    columns.push_back({group.front().column, sum});
  }
}

std::string table_text(const Columns& columns, const boost::json::array& entries) {
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : columns) rows.front().emplace_back(column.title);
  for_each_object(entries, [&](const object& entry) {
    std::vector<std::string>& cells = rows.emplace_back();
    for (const Column& column : columns) cells.push_back(column.cell(entry));
  });
  std::vector<std::size_t> widths(columns.size());
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(cells[i]));
    }
  }
  std::string text;
  for (const auto& cells : rows) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line += kGap;
      append_cell(line, cells[i], widths[i], columns[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace mpb::ctl
