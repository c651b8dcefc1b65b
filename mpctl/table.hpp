// Columns of text, as wide as their widest cell.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::ctl {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string_view title;
  Align align = Align::kRight;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// As many cells as columns, safe for a terminal.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// One line for the titles and one for each row; no blanks at their ends.
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace mpb::ctl
