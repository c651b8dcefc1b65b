#include "mpctl/safe_text.hpp"

#include <algorithm>

#include "common/base/plain_text.hpp"
#include "common/config/option_table.hpp"

namespace mpb::ctl {
namespace {

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

std::string unexpected_word(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return safe_text(word);
  return shown_key(word.substr(0, equals)) + "=...";
}

std::string safe_text(std::string_view text) {
  std::string doubled;
  doubled.reserve(text.size());
  for (const char c : text) doubled.append(c == '\\' ? 2 : 1, c);
  return plain_text(doubled);
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

}  // namespace mpb::ctl
