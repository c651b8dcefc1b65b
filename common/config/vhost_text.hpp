// Vhosts as text: the sections of a configuration file, as workers are sent them and as an operator
// changes them while the broker runs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/option_rules.hpp"
#include "common/config/vhost_settings.hpp"

namespace mpb {

/// No text of format_vhosts() is longer.
inline constexpr std::size_t kMaxVhostText = 64UL * 1024;
/// All texts together must not be longer: workers refuse more.
inline constexpr std::size_t kMaxVhostsText = 32UL * 1024 * 1024;

/// Puts sections, or other lines, together to as few texts of at most kMaxVhostText bytes as their
/// order allows.
class TextPacker {
 public:
  void add(std::string_view text);
  std::vector<std::string> take() { return std::move(texts_); }

 private:
  std::vector<std::string> texts_;
};

/// Writes vhosts one by one.
class VhostFormat {
 public:
  VhostFormat();
  /// "[vhost a.test]\nlatency = merge:350ms\n...": only keys whose value is not the default.
  [[nodiscard]] std::string section(const VhostSettings& vhost) const;

 private:
  std::vector<std::vector<std::string>> defaults_;  // each key's values where nothing was set
};

/// The sections of all of them, put together.
std::vector<std::string> format_vhosts(std::span<const VhostSettings> vhosts);

/// Reads what format_vhosts() wrote, its texts joined. `source` is its name in messages.
Result<std::vector<VhostSettings>> parse_vhosts(std::string_view text, std::string_view source);

/// Applies "KEY=VALUE" texts, whose values are read as in a file. What is given of a key that can
/// be repeated takes the place of all there was. An error may leave some of them applied.
Status change_vhost(VhostSettings& vhost, std::span<const std::string> assignments);

/// Gives these keys their defaults. An error changes nothing.
Status unset_in_vhost(VhostSettings& vhost, std::span<const std::string> keys);

/// What there is to say (common/config/option_rules.hpp) of these assignments, which have been
/// applied; an error is a danger.
Result<std::vector<Warning>> judge_changes(const VhostSettings& vhost,
                                           std::span<const std::string> assignments,
                                           const Settings& settings);

}  // namespace mpb
