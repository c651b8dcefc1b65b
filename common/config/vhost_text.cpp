#include "common/config/vhost_text.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "common/config/config_file.hpp"
#include "common/config/ini.hpp"
#include "common/config/ini_value.hpp"
#include "common/config/option_table.hpp"
#include "common/config/option_values.hpp"
#include "common/config/settings_builder.hpp"

namespace mpb {
namespace {

using Values = std::vector<std::string>;

/// The key alone is told of one that is not KEY=VALUE or has another key: its value may be a
/// secret.
Result<const OptionSpec*> read_vhost_key(std::string_view key) {
  const auto spec = is_name(key) ? find_key(key, OptionScope::kVhost)
                                 : Result<const OptionSpec*>(usage_error("expected a key"));
  if (spec) return *spec;
  return usage_error(fmt::format("{}: {}", shown_key(key), spec.error().text));
}

/// What a file with such a vhost would be refused for, whichever change has led to it.
Status judge_dangers(const VhostSettings& vhost, const RuleFacts& facts) {
  const VhostSettings defaults;
  for (const OptionSpec& spec : vhost_option_table()) {
    const Values values = spec.show(vhost);
    if (values == spec.show(defaults)) continue;
    for (const std::string& value : values) {
      const Finding* finding = judge({spec.name, value, nullptr, &vhost}, facts);
      if (finding == nullptr || finding->gravity != Gravity::kDanger) continue;
      return usage_error(
          fmt::format("{} = {}: {}", spec.name, shown_value(spec, value), finding->why));
    }
  }
  return {};
}

}  // namespace

void TextPacker::add(std::string_view text) {
  if (texts_.empty() || texts_.back().size() + text.size() > kMaxVhostText) texts_.emplace_back();
  texts_.back().append(text);
}

VhostFormat::VhostFormat() {
  const VhostSettings defaults;
  for (const OptionSpec& spec : vhost_option_table()) defaults_.push_back(spec.show(defaults));
}

std::string VhostFormat::section(const VhostSettings& vhost) const {
  std::string text = fmt::format("[vhost {}]\n", vhost.name);
  auto unset = defaults_.begin();
  for (const OptionSpec& spec : vhost_option_table()) {
    const Values values = spec.show(vhost);
    if (values == *unset++) continue;
    for (const std::string& value : values) {
      text.append(spec.name).append(" = ").append(write_ini_value(value)).append("\n");
    }
  }
  return text;
}

std::vector<std::string> format_vhosts(std::span<const VhostSettings> vhosts) {
  const VhostFormat format;
  TextPacker packer;
  for (const VhostSettings& vhost : vhosts) packer.add(format.section(vhost));
  return packer.take();
}

Result<std::vector<VhostSettings>> parse_vhosts(std::string_view text, std::string_view source) {
  SettingsBuilder builder;
  for (const IniSection& section : read_ini(text, source, builder.problems())) {
    if (section.entries.empty() && section.name.empty()) continue;
    if (section.name.starts_with("vhost")) {
      add_section(builder, section, source);
      continue;
    }
    const std::size_t line = section.line > 0 ? section.line : section.entries.front().line;
    builder.problems().add(fmt::format("{}:{}: expected [vhost NAME] sections only", source, line),
                           line);
  }
  const Status status = builder.problems().status();
  if (!status) return status.error();
  return builder.finish_vhosts();
}

Status change_vhost(VhostSettings& vhost, std::span<const std::string> assignments) {
  Settings unused;
  std::set<std::string_view> given;
  for (const std::string& assignment : assignments) {
    const std::string_view text = assignment;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return usage_error("expected KEY=VALUE, found no '='");
    const auto spec = read_vhost_key(text.substr(0, equals));
    if (!spec) return spec.error();
    const std::string_view written = text.substr(equals + 1);
    const auto fail = [&](std::string_view why) {
      return usage_error(
          fmt::format("{} = {}: {}", (*spec)->name, shown_value(**spec, written), why));
    };
    const auto value = read_ini_value(written);
    if (!value) return fail(value.error().text);
    const bool first = given.insert((*spec)->name).second;
    if (!first && !(*spec)->repeatable) {
      return usage_error(fmt::format("{}: given twice", (*spec)->name));
    }
    if (first && (*spec)->repeatable) vhost.upstreams.clear();
    const Status applied = (*spec)->apply({unused, nullptr, &vhost}, *value);
    if (!applied) return fail(applied.error().text);
  }
  return {};
}

Status unset_in_vhost(VhostSettings& vhost, std::span<const std::string> keys) {
  std::set<std::string_view> unset;
  for (const std::string& key : keys) {
    const auto spec = read_vhost_key(key);
    if (!spec) return spec.error();
    unset.insert((*spec)->name);
  }
  Settings unused;
  VhostSettings fresh;
  const VhostSettings defaults;
  fresh.name = vhost.name;
  for (const OptionSpec& spec : vhost_option_table()) {
    const Values values = spec.show(vhost);
    if (unset.contains(spec.name) || values == spec.show(defaults)) continue;
    for (const std::string& value : values) {
      if (const Status set = spec.apply({unused, nullptr, &fresh}, value); !set) return set;
    }
  }
  vhost = std::move(fresh);
  return {};
}

Result<std::vector<Warning>> judge_changes(const VhostSettings& vhost,
                                           std::span<const std::string> assignments,
                                           const Settings& settings) {
  std::vector<Warning> warnings;
  const RuleFacts facts(settings);
  if (const Finding* unused = judge_vhosts(facts); unused != nullptr) {
    warnings.push_back({"vhost " + vhost.name, std::string(unused->why), unused->gravity});
    return warnings;
  }
  if (const Status sound = judge_dangers(vhost, facts); !sound) return sound.error();
  for (const std::string_view assignment : assignments) {
    const OptionSpec& spec =
        *find_option(assignment.substr(0, assignment.find('=')), OptionScope::kVhost);
    const std::string value = read_ini_value(assignment.substr(assignment.find('=') + 1)).value();
    if (!spec.default_value.empty() && value == spec.default_value) continue;
    const Finding* finding = judge({spec.name, value, nullptr, &vhost}, facts);
    if (finding == nullptr) continue;
    warnings.push_back({fmt::format("{} = {}", spec.name, shown_value(spec, value)),
                        std::string(finding->why), finding->gravity});
  }
  return warnings;
}

}  // namespace mpb
