// How the values of options are read. Every error says what is expected and nothing else: the
// caller knows where the value was written. None takes an empty one: what is to be unset is left
// out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.hpp"
#include "common/config/settings.hpp"

namespace mpb {

inline constexpr std::uint16_t kMaxWorkers = 1000;
inline constexpr std::size_t kMaxOptionName = 255;
/// Durations go to the workers as milliseconds in 32 bits.
inline constexpr Duration kMaxOptionDuration = std::chrono::hours(49 * 24);

/// `text` for a message: shortened and plain (common/base/plain_text.hpp).
std::string printable(std::string_view text);

/// `text` without blanks around it.
std::string_view trimmed(std::string_view text);

bool is_letter_or_digit(char c);

/// 1 to kMaxOptionName bytes of letters, digits, '_', '.' and '-'.
bool is_name(std::string_view text);

Result<std::int64_t> read_integer(std::string_view text, std::int64_t low, std::int64_t high);
Result<Duration> read_duration(std::string_view text, bool zero_allowed);
Result<bool> read_yes_no(std::string_view text);
Result<Policy> read_policy(std::string_view text);
Result<Overflow> read_overflow(std::string_view text);
/// "vhost/app/stream": true.
Result<bool> read_key_granularity(std::string_view text);
Result<ClientPrefix> read_client_prefix(std::string_view text);
Result<Sandbox> read_sandbox(std::string_view text);
Result<LogLevel> read_log_level(std::string_view text);
Result<std::string> read_name(std::string_view text);
/// A user or group: a name or a number, or a range of them.
Result<std::string> read_account(std::string_view text);
/// NAME or NAME=VALUE of an environment variable that may be a worker's.
Result<std::string> read_variable(std::string_view text);
/// A path that a unix socket can have.
Result<std::string> read_socket_path(std::string_view text);
Result<std::string> read_path(std::string_view text);
/// "KEY=SLOT[,SLOT...]". The last '=' ends the key.
Result<Pin> read_pin(std::string_view text);
/// "no", or "IDLE[:INTERVAL[:COUNT]]" in whole seconds.
Result<KeepAlive> read_keepalive(std::string_view text);
/// Octal permissions.
Result<unsigned> read_mode(std::string_view text);

}  // namespace mpb
