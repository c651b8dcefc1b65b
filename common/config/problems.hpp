// What is wrong with settings: all of it, since who mends a file wants to mend it once.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/base/error.hpp"

namespace mpb {

class Problems {
 public:
  /// Of a text with more only these are told.
  static constexpr std::size_t kMostTold = 20;

  /// `text` names file, line and key. `line`: of the file; what has none comes last.
  void add(std::string text, std::size_t line = static_cast<std::size_t>(-1)) {
    entries_.emplace_back(line, std::move(text));
  }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  /// An error unless it is empty: a line for each, in the order of their lines.
  [[nodiscard]] Status status() const;

 private:
  std::vector<std::pair<std::size_t, std::string>> entries_;
};

/// The lines of an error's text.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace mpb
