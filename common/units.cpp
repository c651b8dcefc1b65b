#include "common/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace mpb {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: format_duration takes the first that divides.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizeUnits{
    {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};
constexpr std::uint64_t kMaxDurationMs = 3650ULL * 86'400'000;
constexpr std::uint64_t kMaxSize = 1ULL << 62;

struct NumberAndUnit {
  std::uint64_t number;
  std::string_view unit;
};

Result<NumberAndUnit> split(std::string_view text, std::string_view expected) {
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc()) {
    return usage_error(fmt::format("'{}' is not {}", text, expected));
  }
  return NumberAndUnit{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

template <std::size_t N>
Result<std::uint64_t> scale(NumberAndUnit value, const std::array<Unit, N>& units,
                            std::uint64_t limit, std::string_view text, std::string_view expected) {
  for (const Unit& unit : units) {
    if (unit.name != value.unit) continue;
    if (value.number > limit / unit.factor) {
      return usage_error(fmt::format("'{}' is too large", text));
    }
    return value.number * unit.factor;
  }
  return usage_error(fmt::format("'{}' is not {}", text, expected));
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr std::string_view kExpected = "a duration such as 200ms, 5s, 1m, 2h or 1d";
  if (text == "0") return Duration{0};
  const auto value = split(text, kExpected);
  if (!value) return value.error();
  const auto ms = scale(*value, kDurationUnits, kMaxDurationMs, text, kExpected);
  if (!ms) return ms.error();
  return Duration{static_cast<std::int64_t>(*ms)};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kExpected = "a size such as 512, 16KiB, 4MiB or 1GiB";
  auto value = split(text, kExpected);
  if (!value) return value.error();
  if (value->unit.empty()) value->unit = "B";
  return scale(*value, kSizeUnits, kMaxSize, text, kExpected);
}

Result<std::int64_t> parse_integer(std::string_view text, std::int64_t low, std::int64_t high) {
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number < low || number > high) {
    return usage_error(fmt::format("'{}' is not a whole number from {} to {}", text, low, high));
  }
  return number;
}

std::string format_duration(Duration duration) {
  if (duration.count() == 0) return "0";
  const auto ms = static_cast<std::uint64_t>(duration.count());
  for (const Unit& unit : kDurationUnits) {
    if (ms % unit.factor == 0) return fmt::format("{}{}", ms / unit.factor, unit.name);
  }
  return fmt::format("{}ms", ms);
}

}  // namespace mpb
