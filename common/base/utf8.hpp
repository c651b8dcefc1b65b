// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, at most U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mpb {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;  // bytes; 0: not UTF-8
};

/// The first one of `text`, which is not empty.
CodePoint first_code_point(std::string_view text);

bool is_utf8(std::string_view text);

/// `text` with `replacement` for each byte that is not UTF-8.
std::string valid_utf8(std::string_view text, std::string_view replacement);

/// A name for programs and people: itself; one that is not UTF-8 with all bytes above 127
/// percent-encoded, so that different names stay different.
std::string as_utf8(std::string_view text);

/// The longest beginning of `text` that has at most `size` bytes and ends with no part of a
/// character.
std::string_view utf8_prefix(std::string_view text, std::size_t size);

}  // namespace mpb
