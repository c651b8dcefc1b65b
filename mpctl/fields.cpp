#include "mpctl/fields.hpp"

#include <fmt/format.h>

#include <utility>

#include "mpctl/answer.hpp"
#include "mpctl/status_text.hpp"

namespace mpb::ctl {
namespace {

using boost::json::object;

std::string with_unit(std::uint64_t value, CounterUnit unit) {
  switch (unit) {
    case CounterUnit::kBytes:
      return short_size(value);
    case CounterUnit::kMilliseconds:
      return short_time(value);
    case CounterUnit::kNone:
      break;
  }
  return fmt::to_string(value);
}

}  // namespace

Field text_field(std::string_view title, std::string_view member) {
  return {{title, Align::kLeft}, [member](const object& entry) { return text(entry, member); }};
}

Field flag_field(std::string_view title, std::string_view member) {
  return {{title, Align::kLeft}, [member](const object& entry) {
            return std::string(flag(entry, member) ? "yes" : "no");
          }};
}

Field count_field(std::string_view title, std::string_view member) {
  return {{title}, [member](const object& entry) { return count_text(entry, member); }};
}

Field counter_field(std::vector<CounterInfo> counters) {
  const std::string_view title = counters.front().column;
  return {{title}, [counters = std::move(counters)](const object& entry) {
            std::uint64_t total = 0;
            for (const CounterInfo& counter : counters) {
              total += number_at(entry, counter.name).value_or(0);
            }
            return with_unit(total, counters.front().unit());
          }};
}

std::string table_text(const Fields& fields, const boost::json::array& entries) {
  std::vector<Column> columns;
  for (const Field& field : fields) columns.push_back(field.column);
  Table table(std::move(columns));
  for_each_object(entries, [&](const object& entry) {
    std::vector<std::string> cells;
    for (const Field& field : fields) cells.push_back(field.cell(entry));
    table.add(std::move(cells));
  });
  return table.to_string();
}

}  // namespace mpb::ctl
