#include "common/base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace mpb {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: format() takes the first that divides. The last divides everything.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> kSizeUnits{
    {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};
constexpr std::array<Unit, 4> kBitrateUnits{
    {{"Gbit", 1'000'000'000}, {"Mbit", 1'000'000}, {"kbit", 1'000}, {"bit", 1}}};
constexpr std::uint64_t kMaxDurationMs = 3650ULL * 86'400'000;
constexpr std::uint64_t kMaxSize = 1ULL << 62;
constexpr std::uint64_t kMaxBitrate = 1'000'000'000'000;

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

/// In the largest unit that divides it.
template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units) {
  if (value == 0) return "0";
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& u) { return value % u.factor == 0; });
  return fmt::format("{}{}", value / unit->factor, unit->name);
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

Result<std::uint64_t> parse_bitrate(std::string_view text) {
  constexpr std::string_view kExpected = "a bitrate such as 800kbit, 6Mbit or 1Gbit";
  if (text == "0") return std::uint64_t{0};
  const auto value = split(text, kExpected);
  if (!value) return value.error();
  return scale(*value, kBitrateUnits, kMaxBitrate, text, kExpected);
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
  return format(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string format_size(std::uint64_t size) {
  return format(size, kSizeUnits);
}

std::string format_bitrate(std::uint64_t bitrate) {
  return format(bitrate, kBitrateUnits);
}

}  // namespace mpb
