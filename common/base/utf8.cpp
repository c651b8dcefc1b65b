#include "common/base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mpb {
namespace {

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

CodePoint first_code_point(std::string_view text) {
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  std::uint32_t value = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return {};
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kLeast[size] || surrogate || value > 0x10ffff) return {};
  return {value, size};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    if (code.size == 0) return false;
    text.remove_prefix(code.size);
  }
  return true;
}

std::string valid_utf8(std::string_view text, std::string_view replacement) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    const std::size_t size = std::max<std::size_t>(code.size, 1);
    valid += code.size == 0 ? replacement : text.substr(0, size);
    text.remove_prefix(size);
  }
  return valid;
}

std::string as_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded += byte < 0x80 ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return encoded;
}

std::string_view utf8_prefix(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && is_continuation(text[size])) --size;
  return text.substr(0, size);
}

}  // namespace mpb
