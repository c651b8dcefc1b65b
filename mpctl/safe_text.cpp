#include "mpctl/safe_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "common/option_table.hpp"
#include "common/utf8.hpp"

namespace mpb::ctl {
namespace {

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
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
    const CodePoint code = first_code_point(text);
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

std::string unexpected_word(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return safe_text(word);
  return shown_key(word.substr(0, equals)) + "=...";
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
