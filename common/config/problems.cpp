#include "common/config/problems.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mpb {

Status Problems::status() const {
  if (empty()) return {};
  auto sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  const std::size_t told = std::min(sorted.size(), kMostTold);
  for (std::size_t i = 0; i < told; ++i) {
    text.append(i == 0 ? "" : "\n").append(sorted[i].second);
  }
  if (told < sorted.size()) text += fmt::format("\nand {} more", sorted.size() - told);
  return usage_error(std::move(text));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return lines;
    begin = end + 1;
  }
}

}  // namespace mpb
