#include "common/io/host_name.hpp"

#include <algorithm>

#include "common/base/units.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxHostName = 253;
constexpr std::size_t kMaxLabel = 63;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_label(std::string_view label) {
  const auto fits = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= kMaxLabel && std::ranges::all_of(label, fits) &&
         !label.starts_with('-') && !label.ends_with('-');
}

/// "1", "0x7f": inet_aton(3), and so getaddrinfo(3), takes them for a part of an address.
bool is_number(std::string_view label) {
  if (label.starts_with("0x") || label.starts_with("0X")) return true;
  return std::ranges::all_of(label, is_digit);
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > kMaxHostName) return false;
  for (;;) {
    const auto dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) return !is_number(label);
    text.remove_prefix(dot + 1);
  }
}

std::optional<HostAndPort> parse_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_host_name(text.substr(0, colon))) return std::nullopt;
  const auto port = parse_integer(text.substr(colon + 1), 1, UINT16_MAX);
  if (!port) return std::nullopt;
  return HostAndPort{std::string(text.substr(0, colon)), static_cast<std::uint16_t>(*port)};
}

}  // namespace mpb
