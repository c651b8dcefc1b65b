// The one table of all options: the command line, the configuration file, --help and the tests are
// driven by it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option.hpp"
#include "common/config/settings.hpp"

namespace mpb {

enum class OptionScope : std::uint8_t {
  kListener,     // of one listener: in a [listener NAME] section, or on the command line
  kGlobal,       // before the first section, or on the command line
  kVhost,        // of one vhost: in a [vhost NAME] section only
  kKey,          // of keys: in a [key PATTERN] section only
  kCommandLine,  // on the command line only; has no `apply`
};

/// What a value is written to. `listener`, `vhost` and `key` are there for options of that scope
/// only.
struct OptionTarget {
  Settings& settings;
  ListenerSettings* listener = nullptr;
  VhostSettings* vhost = nullptr;
  KeySettings* key = nullptr;
};

/// Where the value of an option goes.
struct OptionUse {
  OptionScope scope;
  /// Reads the value; the error says only what is expected.
  Status (*apply)(OptionTarget target, std::string_view value) = nullptr;
  /// Of a vhost: its values as `apply` reads them back. One, or any number when it is repeatable.
  std::vector<std::string> (*show)(const VhostSettings& vhost) = nullptr;
};

/// The use that leads to a member of Settings, ListenerSettings, VhostSettings or KeySettings, by a
/// path of members.
template <class Kind, auto... Path>
inline constexpr OptionUse to = [] {
  using Owner = OwnerOf<Path...>;
  if constexpr (std::is_same_v<Owner, VhostSettings>) {
    return OptionUse{OptionScope::kVhost,
                     [](OptionTarget target, std::string_view value) {
                       return store<Kind, Path...>(*target.vhost, value);
                     },
                     [](const VhostSettings& vhost) {
                       return std::vector<std::string>{Kind::write(place_in<Path...>(vhost))};
                     }};
  } else if constexpr (std::is_same_v<Owner, KeySettings>) {
    return OptionUse{OptionScope::kKey, [](OptionTarget target, std::string_view value) {
                       return store<Kind, Path...>(*target.key, value);
                     }};
  } else if constexpr (std::is_same_v<Owner, ListenerSettings>) {
    return OptionUse{OptionScope::kListener, [](OptionTarget target, std::string_view value) {
                       return store<Kind, Path...>(*target.listener, value);
                     }};
  } else {
    return OptionUse{OptionScope::kGlobal, [](OptionTarget target, std::string_view value) {
                       return store<Kind, Path...>(target.settings, value);
                     }};
  }
}();

/// The name is unique in its scope.
struct OptionSpec : OptionText, OptionUse {
  std::string_view details{};  // further sentences, where there is room for them
  std::string_view example{};  // a value, for one that is unset by default
  bool repeatable = false;

  /// Its value is nothing for a log.
  [[nodiscard]] bool is_secret() const { return placeholder == "SECRET"; }
};

/// Options of one group stand together.
std::span<const OptionSpec> option_table();
/// Those of them whose scope is kVhost, or kKey.
std::span<const OptionSpec> vhost_option_table();
std::span<const OptionSpec> key_option_table();
/// Those of them of a vhost's cell.
std::span<const OptionSpec> vhost_cell_option_table();

/// The section whose options of this scope stand in it: "vhost" for [vhost NAME]; empty: in none.
std::string_view section_kind(OptionScope scope);

/// nullptr when there is no such option. Without a scope: of a listener's and a vhost's of the same
/// name the former.
const OptionSpec* find_option(std::string_view name, std::optional<OptionScope> scope = {});
/// Those of the given scopes.
std::vector<const OptionText*> options_of(std::initializer_list<OptionScope> scopes);

/// A key that is no option's, as messages show it: what was taken for one may be a piece of a
/// secret, so only what looks like a name is shown.
std::string shown_key(std::string_view key);
/// The same of a command line's: its dashes and its name, without the value behind '=' or, with one
/// dash, behind its letter.
std::string shown_option(std::string_view option);

}  // namespace mpb
