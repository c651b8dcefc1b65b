// The one table of all options: the command line, the configuration file, --help and the tests are
// driven by it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/settings.hpp"

namespace mpb {

enum class OptionScope : std::uint8_t {
  kListener,     // of one listener: in a [listener NAME] section, or on the command line
  kGlobal,       // before the first section, or on the command line
  kVhost,        // of one vhost: in a [vhost NAME] section only
  kCommandLine,  // on the command line only; has no `apply`
};

/// What a value is written to. `listener` and `vhost` are there for options of that scope only.
struct OptionTarget {
  Settings& settings;
  ListenerSettings* listener = nullptr;
  VhostSettings* vhost = nullptr;
};

struct OptionSpec {
  std::string_view
      name;  // unique in its scope; as in a file; on the command line with -- before it
  OptionScope scope;
  std::string_view group;          // heading in --help
  std::string_view placeholder;    // of its value; empty: a switch
  std::string_view default_value;  // as it would be written; empty: unset
  std::string_view unset_meaning;  // what holds when it is unset
  std::string_view help;           // a sentence or more, without the last full stop
  std::string_view details;        // further sentences, where there is room for them
  std::string_view example;        // a value, for one that is unset by default
  bool repeatable;
  /// Reads the value; the error says only what is expected.
  Status (*apply)(OptionTarget target, std::string_view value);
  /// Of a vhost: its values as `apply` reads them back. One, or any number when it is repeatable.
  std::vector<std::string> (*show)(const VhostSettings& vhost) = nullptr;

  /// Its value is nothing for a log.
  [[nodiscard]] bool is_secret() const { return placeholder == "SECRET"; }
};

/// Options of one group stand together.
std::span<const OptionSpec> option_table();
/// Those of them whose scope is kVhost.
std::span<const OptionSpec> vhost_option_table();

/// nullptr when there is no such option. Of a listener's and a vhost's of the same name the former.
const OptionSpec* find_option(std::string_view name);
const OptionSpec* find_option(std::string_view name, OptionScope scope);

/// The option of a scope in `scopes` whose name is nearest to a mistyped `name`; empty when none is
/// near.
std::string_view nearest_option(std::string_view name, std::span<const OptionScope> scopes);

/// A key that is no option's, as messages show it: what was taken for one may be a piece of a
/// secret, so only what looks like a name is shown.
std::string shown_key(std::string_view key);
/// The same of a command line's: its dashes and its name, without the value behind '=' or, with one
/// dash, behind its letter.
std::string shown_option(std::string_view option);

}  // namespace mpb
