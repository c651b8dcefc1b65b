#include "mpctl/safe_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace mpb::ctl {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;  // bytes; 0: not UTF-8
};

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
CodePoint decode(std::string_view text) {
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

constexpr bool is_control(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}
/// Line and paragraph separators, and what overrides the direction of the text around it.
constexpr bool is_layout(std::uint32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/// Hands each code point to `harmful`, which appends what stands for it, or to `line` as it is.
template <class Harmful>
std::string replace(std::string_view text, Harmful&& harmful) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const CodePoint code = decode(text);
    const std::size_t size = std::max<std::size_t>(code.size, 1);
    const std::string_view bytes = text.substr(0, size);
    if (code.size == 0 || is_control(code.value) || is_layout(code.value)) {
      harmful(line, code, bytes);
    } else {
      line += bytes;
    }
    text.remove_prefix(size);
  }
  return line;
}

void escape(std::string& line, const CodePoint& code, std::string_view bytes) {
  if (code.size <= 1) {
    line += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
  } else {
    line += fmt::format("\\u{{{:04x}}}", code.value);
  }
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint code = decode(text);
    if (code.size == 0) return false;
    text.remove_prefix(code.size);
  }
  return true;
}

std::string safe_line(std::string_view line) {
  return replace(line, escape);
}

std::string safe_text(std::string_view text) {
  std::string doubled;
  doubled.reserve(text.size());
  for (const char c : text) doubled.append(c == '\\' ? 2 : 1, c);
  return safe_line(doubled);
}

std::string safe_json(std::string_view text) {
  return replace(text, [](std::string& line, const CodePoint& code, std::string_view) {
    if (code.size == 0) {
      line += "\\ufffd";
    } else if (code.value < 0x20) {
      line += ' ';  // in JSON only between values
    } else {
      line += fmt::format("\\u{:04x}", code.value);
    }
  });
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

}  // namespace mpb::ctl
