#include "common/config/value_readers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/plain_text.hpp"
#include "common/base/utf8.hpp"
#include "common/io/endpoint.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxShown = 120;
constexpr std::size_t kMaxPath = 4095;

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string printable(std::string_view text) {
  std::string shown = plain_text(utf8_prefix(text, kMaxShown));
  if (text.size() > kMaxShown) shown += "...";
  return shown;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxOptionName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-';
         });
}

Result<std::int64_t> read_integer(std::string_view text, std::int64_t low, std::int64_t high) {
  const auto number = parse_integer(text, low, high);
  if (!number) return usage_error(fmt::format("expected a whole number from {} to {}", low, high));
  return number;
}

Result<Duration> read_duration(std::string_view text, bool zero_allowed) {
  const auto duration = parse_duration(text);
  if (!duration || *duration > kMaxOptionDuration || (!zero_allowed && duration->count() == 0)) {
    return usage_error(fmt::format(
        "expected a duration{} such as 200ms, 5s, 1m, 2h or 1d, whole and with its unit, at most "
        "{}",
        zero_allowed ? "" : " above 0", format_duration(kMaxOptionDuration)));
  }
  return duration;
}

Result<std::uint64_t> read_size(std::string_view text) {
  const auto size = parse_size(text);
  if (size) return size;
  return usage_error("expected a size such as 512MiB or 4GiB, whole and with its unit, or 0");
}

Result<std::string> read_name(std::string_view text) {
  if (is_name(text)) return std::string(text);
  return usage_error(
      fmt::format("expected a name of 1 to {} letters, digits, '_', '.' or '-'", kMaxOptionName));
}

Result<std::string> read_socket_path(std::string_view text) {
  if (!parse_endpoint(fmt::format("unix:{}", text))) {
    return usage_error("expected the path of a unix socket (1 to 107 bytes), or @name");
  }
  return std::string(text);
}

Result<std::string> read_path(std::string_view text) {
  if (text.empty() || text.size() > kMaxPath) {
    return usage_error(fmt::format("expected a path of 1 to {} bytes", kMaxPath));
  }
  return std::string(text);
}

}  // namespace mpb
