#include "common/vhost_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/config_file.hpp"
#include "common/ini.hpp"
#include "common/option_table.hpp"
#include "common/option_values.hpp"
#include "common/settings_builder.hpp"

namespace mpb {
namespace {

using Values = std::vector<std::string>;

/// Each key's values in a vhost of which nothing was set.
std::vector<Values> default_values() {
  const VhostSettings defaults;
  std::vector<Values> values;
  for (const OptionSpec& spec : vhost_option_table()) values.push_back(spec.show(defaults));
  return values;
}

std::string format_section(const VhostSettings& vhost, std::span<const Values> defaults) {
  std::string text = fmt::format("[vhost {}]\n", vhost.name);
  auto unset = defaults.begin();
  for (const OptionSpec& spec : vhost_option_table()) {
    const Values values = spec.show(vhost);
    if (values == *unset++) continue;
    for (const std::string& value : values) {
      text.append(spec.name).append(" = ").append(value).append("\n");
    }
  }
  return text;
}

/// What a file cannot have in a value: a comment's beginning, blanks around it, another line.
bool fits_in_a_file(std::string_view value) {
  constexpr std::string_view kForbidden("#\n\r\0", 4);
  return value.find_first_of(kForbidden) == std::string_view::npos && trimmed(value) == value;
}

}  // namespace

std::vector<std::string> format_vhosts(std::span<const VhostSettings> vhosts) {
  const std::vector<Values> defaults = default_values();
  std::vector<std::string> texts;
  for (const VhostSettings& vhost : vhosts) {
    std::string section = format_section(vhost, defaults);
    if (texts.empty() || texts.back().size() + section.size() > kMaxVhostText) {
      texts.push_back(std::move(section));
    } else {
      texts.back().append(section);
    }
  }
  return texts;
}

Result<std::vector<VhostSettings>> parse_vhosts(std::string_view text, std::string_view source) {
  const auto sections = read_ini(text, source);
  if (!sections) return sections.error();
  SettingsBuilder builder;
  for (const IniSection& section : *sections) {
    if (section.line == 0 && section.entries.empty()) continue;
    if (!section.name.starts_with("vhost")) {
      const std::size_t line = section.line > 0 ? section.line : section.entries.front().line;
      return usage_error(fmt::format("{}:{}: expected [vhost NAME] sections only", source, line));
    }
    const Status added = add_section(builder, section, source);
    if (!added) return added.error();
  }
  return builder.finish_vhosts();
}

Status change_vhost(VhostSettings& vhost, std::span<const std::string> assignments) {
  Settings unused;
  std::set<std::string_view> cleared;  // keys that can be repeated, once they were given
  for (const std::string& assignment : assignments) {
    const std::string_view text = assignment;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) {
      return usage_error(fmt::format("'{}': expected KEY=VALUE", printable(text)));
    }
    const std::string_view key = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 1);
    const auto spec = find_key(key, OptionScope::kVhost);
    const bool secret = spec && (*spec)->is_secret();
    const auto fail = [&](std::string_view why) {
      return usage_error(
          fmt::format("{} = {}: {}", printable(key), secret ? "..." : printable(value), why));
    };
    if (!spec) return fail(spec.error().text);
    if (!fits_in_a_file(value)) {
      return fail("expected one line without '#' and without blanks around it");
    }
    if ((*spec)->repeatable && cleared.insert((*spec)->name).second) vhost.upstreams.clear();
    if ((*spec)->repeatable && value.empty()) continue;
    const Status applied = (*spec)->apply({unused, nullptr, &vhost}, value);
    if (!applied) return fail(applied.error().text);
  }
  return {};
}

}  // namespace mpb
