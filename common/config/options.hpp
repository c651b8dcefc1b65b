// Reads the settings of mpbroker and mpworker from a command line and a configuration file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_rules.hpp"
#include "common/config/settings.hpp"

namespace mpb {

class KeptFile;

/// A larger configuration file is refused.
inline constexpr std::size_t kMaxConfigSize = 16UL * 1024 * 1024;

struct ParsedOptions {
  Settings settings;
  std::string config_file;  // empty: none
  bool check_config = false;
  bool help = false;     // then `settings` are the defaults, and nothing was checked
  bool version = false;  // likewise
  std::vector<Warning> warnings;
};

/// Reads `args`, whose first (the program's name) is skipped, and the file named by --config; the
/// command line wins key by key. `program` is mpbroker or mpworker: for the latter `workers` is
/// always 0. Errors are of kind kUsage, but for a file that cannot be read at the moment; each line
/// of their text (there is one for each problem) names the command line or the file and line, the
/// key, the value unless it is a secret, and what is allowed. Accounts and the worker program must
/// be there.
/// `kept` is that file, for a process that may not open it any more.
Result<ParsedOptions> parse_options(std::span<const char* const> args, std::string_view program,
                                    const KeptFile* kept = nullptr);

/// The settings of a configuration file alone, over the defaults; what they name on this machine is
/// not looked for. `file` is its name in messages.
Result<Settings> parse_config(std::string_view text, std::string_view file,
                              std::vector<Warning>* warnings = nullptr);

/// A line for each.
void log_warnings(const std::vector<Warning>& warnings);

/// What --help prints: every option with its unit and default.
std::string help_text(std::string_view program);

}  // namespace mpb
