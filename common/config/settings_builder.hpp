// Puts options together to Settings and remembers where each was written, so that contradictions
// can be told in the operator's own words.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_rules.hpp"
#include "common/config/option_table.hpp"
#include "common/config/problems.hpp"
#include "common/config/settings.hpp"

namespace mpb {

/// One option as it was written.
struct Assignment {
  const OptionSpec* spec = nullptr;
  std::string section;  // the name of its listener or vhost, a pattern of keys; empty: a global one
  std::string value;
  std::string file{};    // empty: the command line
  std::size_t line = 0;  // in the file
};

/// "mpbroker.ini:7: [listener rtmp] policy = hash" or "command line: --policy hash". A secret is
/// left out, and what a URL may have of one.
std::string describe(const Assignment& assignment);
/// The value as describe() shows it.
std::string shown_value(const OptionSpec& spec, std::string_view value);

/// More vhosts are refused.
inline constexpr std::size_t kMaxVhosts = 100'000;

/// For a listener whose clients are forwarded: whether there is anywhere to forward them to.
bool forwards_to_nowhere(const ListenerSettings& listener,
                         const std::vector<VhostSettings>& vhosts);

/// What must hold between the settings of one vhost.
Status check_vhost(const VhostSettings& vhost);

class SettingsBuilder {
 public:
  /// `where` is told when there is a listener of that name already.
  Status add_listener(const std::string& name, std::string_view where);
  [[nodiscard]] bool has_listener(const std::string& name) const {
    return listeners_.contains(name);
  }

  /// `name` as written; gives the normalised one. The same if it is not a vhost's name, is there
  /// already, or is one too many.
  Result<std::string> add_vhost(std::string_view name, std::string_view where);

  /// Likewise for what is set of keys.
  Status add_key(const std::string& pattern, std::string_view where);

  /// Those of the file first, then those of the command line, which win. Its section must
  /// exist. The value is as it was written. What is wrong with it is one of the problems.
  void set(Assignment assignment);

  /// What was found wrong so far, for whoever finds more.
  [[nodiscard]] Problems& problems() { return problems_; }

  /// The settings; or all problems, contradictions among them. `source` is told where nothing
  /// better is known. With `single_process` workers is 0, whatever was set.
  Result<Settings> finish(std::string_view source, bool single_process);
  /// Once finished: what was written and does nothing, or hardly what was meant, in the order of
  /// the lines.
  [[nodiscard]] const std::vector<Warning>& warnings() const { return warnings_; }
  /// The vhosts alone, where there is nothing else.
  std::vector<VhostSettings> finish_vhosts() { return std::move(settings_.vhosts); }

  /// Whether what finished settings name is there on this machine: accounts and the worker program,
  /// which is not that of a process that is the single one already. Adds warnings of what this
  /// machine, or this process, does not allow.
  [[nodiscard]] Status check_environment(const Settings& settings, bool single_process);

 private:
  using Key = std::pair<std::string, std::string>;                            // section, option
  using Places = std::map<std::string, std::pair<std::size_t, std::string>>;  // index, where

  Status apply(Assignment& assignment);
  OptionTarget target_of(const Assignment& assignment);
  [[nodiscard]] static Key key_of(const Assignment& assignment, const OptionTarget& target);
  [[nodiscard]] const Assignment* written(const std::string& section,
                                          std::string_view option) const;
  /// The same of an option of this scope.
  [[nodiscard]] const Assignment* written(OptionScope scope, const std::string& section,
                                          std::string_view option) const;
  [[nodiscard]] Status check_cell_account(OptionScope scope, const std::string& section,
                                          const CellSettings& cell);
  /// Whether what was written of all these options could be read: else there is no telling what
  /// contradicts them.
  [[nodiscard]] bool readable(const std::string& section,
                              std::initializer_list<std::string_view> options) const;
  void note(const Status& status);
  [[nodiscard]] std::string describe_global(std::string_view option,
                                            std::string_view default_value) const;
  [[nodiscard]] Error contradiction(std::string_view option, std::string_view default_value,
                                    std::string_view other, std::string_view other_default,
                                    std::string_view expected) const;

  [[nodiscard]] Status check_workers() const;
  void check_addresses(std::string_view source);
  [[nodiscard]] Status check_protocol(const ListenerSettings& listener) const;
  [[nodiscard]] Status check_upstreams(const ListenerSettings& listener) const;
  void check_vhosts();
  [[nodiscard]] Status check_pins(const ListenerSettings& listener) const;
  void warn_of_backlogs(const Settings& settings);
  void judge_options();
  void warn_of_unused_vhosts(const Finding& unused);
  void judge_option(const Assignment& assignment, const RuleFacts& facts);
  void warn(const Assignment& assignment, std::string_view why, Gravity gravity);

  Settings settings_;
  Places listeners_;
  Places vhosts_;
  Places keys_;  // by pattern
  std::map<Key, Assignment> written_;
  std::set<Key> unreadable_;
  Problems problems_;
  std::vector<Warning> warnings_;
  bool pins_from_command_line_ = false;
};

}  // namespace mpb
