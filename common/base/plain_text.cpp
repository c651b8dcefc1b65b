#include "common/base/plain_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace mpb {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Unicode's Cc, Zl, Zp, Default_Ignorable_Code_Point, and interlinear annotations.
constexpr std::array<Range, 20> kNotPlain{{
    {0x0000, 0x001f},    // C0
    {0x007f, 0x009f},    // DEL and C1
    {0x00ad, 0x00ad},    // soft hyphen
    {0x034f, 0x034f},    // combining grapheme joiner
    {0x061c, 0x061c},    // Arabic letter mark: direction
    {0x115f, 0x1160},    // Hangul fillers
    {0x17b4, 0x17b5},    // Khmer vowels that are not written
    {0x180b, 0x180f},    // Mongolian selectors and separator
    {0x200b, 0x200f},    // no width; directions
    {0x2028, 0x202e},    // separators; directions
    {0x2060, 0x206f},    // no width; directions
    {0x3164, 0x3164},    // Hangul filler
    {0xfe00, 0xfe0f},    // variation selectors
    {0xfeff, 0xfeff},    // byte order mark
    {0xffa0, 0xffa0},    // Hangul filler
    {0xfff0, 0xfffb},    // annotations
    {0x1bca0, 0x1bca3},  // shorthand formats
    {0x1d173, 0x1d17a},  // of musical notation
    {0xe0000, 0xe0fff},  // tags; further variation selectors
    {0x110000, 0xffffffff},
}};

constexpr std::uint32_t kFirstBeyondAscii = 0xad;

/// Hands each character that is not plain to `replace(out, code, bytes)`.
template <class F>
std::string replace_each(std::string_view text, F&& replace) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(code.size, 1));
    if (is_plain(code)) {
      out += bytes;
    } else {
      replace(out, code, bytes);
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace

bool is_plain(const CodePoint& code) {
  if (code.size == 0) return false;
  if (code.value < kFirstBeyondAscii) {
    return code.value >= 0x20 && (code.value < 0x7f || code.value > 0x9f);
  }
  const auto* const range =
      std::lower_bound(kNotPlain.begin(), kNotPlain.end(), code.value,
                       [](const Range& known, std::uint32_t value) { return known.last < value; });
  return code.value < range->first;
}

bool is_plain(std::string_view text) {
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    if (!is_plain(code)) return false;
    text.remove_prefix(code.size);
  }
  return true;
}

void append_escaped(std::string& line, const CodePoint& code, std::string_view bytes) {
  if (code.size <= 1) {
    line += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
  } else {
    line += fmt::format("\\u{{{:04x}}}", code.value);
  }
}

std::string plain_text(std::string_view text) {
  return replace_each(text, append_escaped);
}

std::string plain_lines(std::string_view text) {
  return replace_each(text, [](std::string& out, const CodePoint& code, std::string_view bytes) {
    if (bytes == "\n") {
      out += bytes;
    } else {
      append_escaped(out, code, bytes);
    }
  });
}

std::string plain_json(std::string_view json) {
  return replace_each(json, [](std::string& out, const CodePoint& code, std::string_view) {
    constexpr std::uint32_t kPlane = 0x10000;
    if (code.size == 0) {
      out += "\\ufffd";
    } else if (code.value < 0x20) {
      out += ' ';  // in JSON only between values
    } else if (code.value < kPlane) {
      out += fmt::format("\\u{:04x}", code.value);
    } else {
      const std::uint32_t rest = code.value - kPlane;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
    }
  });
}

}  // namespace mpb
