// The one table of all options: the command line, the configuration file, --help and the tests are
// driven by it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/error.hpp"
#include "common/settings.hpp"

namespace mpb {

enum class OptionScope : std::uint8_t {
  kListener,     // of one listener: in a [listener NAME] section, or on the command line
  kGlobal,       // before the first section, or on the command line
  kCommandLine,  // on the command line only; has no `apply`
};

/// What a value is written to. `listener` is there for options of that scope only.
struct OptionTarget {
  Settings& settings;
  ListenerSettings* listener;
};

struct OptionSpec {
  std::string_view name;  // as in a file; on the command line with -- before it
  OptionScope scope;
  std::string_view group;          // heading in --help
  std::string_view placeholder;    // of its value; empty: a switch
  std::string_view default_value;  // as it would be written; empty: unset
  std::string_view unset_meaning;  // what holds when it is unset
  std::string_view help;
  bool repeatable;
  /// Reads the value; the error says only what is expected.
  Status (*apply)(OptionTarget target, std::string_view value);
};

std::span<const OptionSpec> option_table();

/// nullptr when there is no such option.
const OptionSpec* find_option(std::string_view name);

/// The option of a scope in `scopes` whose name is nearest to a mistyped `name`; empty when none is
/// near.
std::string_view nearest_option(std::string_view name, std::span<const OptionScope> scopes);

}  // namespace mpb
