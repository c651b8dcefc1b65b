// Durations and sizes as people write them in configuration files and on command lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.hpp"

namespace mpb {

using Duration = std::chrono::milliseconds;

/// "200ms", "5s", "1m", "2h", "1d"; "0" needs no unit. A number without a unit is refused, since
/// nobody can know which was meant. Whole numbers only; at most 3650 days.
Result<Duration> parse_duration(std::string_view text);

/// "512", "512B", "16KiB", "4MiB", "2GiB": bytes. At most 2^62.
Result<std::uint64_t> parse_size(std::string_view text);

/// "800kbit", "6Mbit", "1Gbit": bits per second, the units being powers of 1000; "0" needs no unit.
/// At most 1000Gbit.
Result<std::uint64_t> parse_bitrate(std::string_view text);

/// A decimal number between `low` and `high`, nothing before or behind it.
Result<std::int64_t> parse_integer(std::string_view text, std::int64_t low, std::int64_t high);

/// The shortest exact form that parse_duration reads back: "90s", "1500ms", "2h", "0".
std::string format_duration(Duration duration);

/// The same for parse_size.
std::string format_size(std::uint64_t size);

/// The same for parse_bitrate; `bitrate` must be one that it gave.
std::string format_bitrate(std::uint64_t bitrate);

}  // namespace mpb
