#include "mpctl/table.hpp"

#include <algorithm>

#include "mpctl/safe_text.hpp"

namespace mpb::ctl {
namespace {

constexpr std::string_view kGap = "  ";

void append_cell(std::string& line, std::string_view cell, std::size_t width, Align align) {
  const std::size_t padding = width - width_of(cell);
  if (align == Align::kRight) line.append(padding, ' ');
  line += cell;
  if (align == Align::kLeft) line.append(padding, ' ');
}

}  // namespace

std::string Table::to_string() const {
  std::vector<std::size_t> widths;
  std::vector<std::string> titles;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
    titles.emplace_back(columns_[i].title);
  }
  std::string text;
  const auto append_row = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line += kGap;
      append_cell(line, cells[i], widths[i], columns_[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  append_row(titles);
  for (const auto& row : rows_) append_row(row);
  return text;
}

}  // namespace mpb::ctl
