// How values are read that the options of all programs have. Every error says what is expected and
// nothing else: the caller knows where the value was written. None takes an empty one: what is to
// be unset is left out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/choice.hpp"
#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb {

inline constexpr std::size_t kMaxOptionName = 255;
/// Durations go to the workers as milliseconds in 32 bits.
inline constexpr Duration kMaxOptionDuration = std::chrono::hours(49 * 24);
inline constexpr std::array<Choice<bool>, 2> kYesNo{{{"yes", true}, {"no", false}}};

/// `text` for a message: shortened and plain (common/base/plain_text.hpp).
std::string printable(std::string_view text);

/// `text` without blanks around it.
std::string_view trimmed(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator);

bool is_letter_or_digit(char c);

/// 1 to kMaxOptionName bytes of letters, digits, '_', '.' and '-'.
bool is_name(std::string_view text);

Result<std::int64_t> read_integer(std::string_view text, std::int64_t low, std::int64_t high);
Result<Duration> read_duration(std::string_view text, bool zero_allowed);
Result<std::uint64_t> read_size(std::string_view text);
Result<std::string> read_name(std::string_view text);
Result<std::string> read_path(std::string_view text);
/// A path that a unix socket can have.
Result<std::string> read_socket_path(std::string_view text);

}  // namespace mpb
