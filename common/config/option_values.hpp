// How the values of options that only mpbroker and mpworker have are read. Errors are as in
// common/config/value_readers.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.hpp"
#include "common/config/settings.hpp"
#include "common/config/value_readers.hpp"

namespace mpb {

inline constexpr std::uint16_t kMaxWorkers = 4000;

/// A user or group: a name or a number, or a range of them.
Result<std::string> read_account(std::string_view text);
/// One of them, no range.
Result<std::string> read_one_account(std::string_view text);
/// A number of workers; nothing: "auto".
Result<std::optional<std::uint16_t>> read_acceptors(std::string_view text);
/// NAME or NAME=VALUE of an environment variable that may be a worker's.
Result<std::string> read_variable(std::string_view text);
/// "KEY=SLOT[,SLOT...]". The last '=' ends the key.
Result<Pin> read_pin(std::string_view text);
/// "no", or "IDLE[:INTERVAL[:COUNT]]" in whole seconds.
Result<KeepAlive> read_keepalive(std::string_view text);
/// Octal permissions.
Result<unsigned> read_mode(std::string_view text);

}  // namespace mpb
