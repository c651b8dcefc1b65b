#include "common/config/settings_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/config/http_url.hpp"
#include "common/config/ini_value.hpp"
#include "common/config/option_values.hpp"
#include "common/config/vhost_values.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

namespace {

constexpr std::size_t kMaxKeySections = 1'000;  // those with a '*' are looked at one by one

/// Sections of other kinds may have the names of listeners: their options are known apart.
std::string option_of(OptionScope scope, std::string_view option) {
  if (scope == OptionScope::kListener || section_kind(scope).empty()) return std::string(option);
  return fmt::format("{} {}", section_kind(scope), option);
}

}  // namespace

std::string shown_value(const OptionSpec& spec, std::string_view value) {
  if (spec.is_secret()) return "...";
  if (spec.placeholder == "NAME[=VALUE]" && value.find('=') != std::string_view::npos) {
    return printable(value.substr(0, value.find('='))) + "=...";
  }
  const bool is_url = spec.placeholder == "URL" || value.find("://") != std::string_view::npos ||
                      value.find('?') != std::string_view::npos;
  return printable(is_url ? without_credentials(value) : value);
}

std::string describe(const Assignment& assignment) {
  const std::string value = shown_value(*assignment.spec, assignment.value);
  if (assignment.file.empty()) {
    return fmt::format("command line: --{} {}", assignment.spec->name,
                       value.empty() ? "''" : value);
  }
  const std::string section =
      assignment.section.empty()
          ? ""
          : fmt::format("[{} {}] ", section_kind(assignment.spec->scope), assignment.section);
  return fmt::format("{}:{}: {}{} = {}", assignment.file, assignment.line, section,
                     assignment.spec->name, value);
}

Status SettingsBuilder::add_listener(const std::string& name, std::string_view where) {
  const auto [listener, added] =
      listeners_.try_emplace(name, settings_.listeners.size(), std::string(where));
  if (!added) {
    return usage_error(fmt::format("{}: a listener of this name is there already: {}", where,
                                   listener->second.second));
  }
  settings_.listeners.emplace_back().name = name;
  return {};
}

Result<std::string> SettingsBuilder::add_vhost(std::string_view name, std::string_view where) {
  auto normalised = read_vhost_name(name);
  if (!normalised) {
    return usage_error(fmt::format("{}: {}", where, normalised.error().text));
  }
  if (settings_.vhosts.size() == kMaxVhosts) {
    return usage_error(fmt::format("{}: expected at most {} vhosts", where, kMaxVhosts));
  }
  const auto [vhost, added] =
      vhosts_.try_emplace(*normalised, settings_.vhosts.size(), std::string(where));
  if (!added) {
    return usage_error(
        fmt::format("{}: a vhost of this name is there already: {}", where, vhost->second.second));
  }
  settings_.vhosts.emplace_back().name = *normalised;
  return normalised;
}

Status SettingsBuilder::add_key(const std::string& pattern, std::string_view where) {
  if (pattern.size() > channel::kMaxKey || std::count(pattern.begin(), pattern.end(), '*') > 1) {
    return usage_error(fmt::format(
        "{}: expected a key of at most {} bytes, or with one * for whatever may stand there", where,
        channel::kMaxKey));
  }
  if (settings_.keys.size() == kMaxKeySections) {
    return usage_error(
        fmt::format("{}: expected at most {} sections of keys", where, kMaxKeySections));
  }
  const auto [key, added] = keys_.try_emplace(pattern, settings_.keys.size(), std::string(where));
  if (!added) {
    return usage_error(fmt::format("{}: a section of this pattern is there already: {}", where,
                                   key->second.second));
  }
  settings_.keys.emplace_back().pattern = pattern;
  return {};
}

void SettingsBuilder::set(Assignment assignment) {
  const std::size_t line = assignment.file.empty() ? static_cast<std::size_t>(-1) : assignment.line;
  const Key place{assignment.section, std::string(assignment.spec->name)};
  const Status done = apply(assignment);
  if (done) return;
  problems_.add(fmt::format("{}: {}", describe(assignment), done.error().text), line);
  unreadable_.insert(place);
}

/// Also reads the value. The error says only why not.
Status SettingsBuilder::apply(Assignment& assignment) {
  auto value = read_ini_value(assignment.value);
  if (!value) return value.error();
  assignment.value = *std::move(value);
  const bool from_file = !assignment.file.empty();
  const OptionTarget target = target_of(assignment);
  const Status applied = assignment.spec->apply(target, assignment.value);
  if (!applied) return applied;
  const auto [earlier, first] = written_.try_emplace(key_of(assignment, target), assignment);
  if (first) return {};
  if (earlier->second.file.empty() != from_file) {
    return usage_error(fmt::format("given twice; before: {}", describe(earlier->second)));
  }
  earlier->second = std::move(assignment);
  return {};
}

OptionTarget SettingsBuilder::target_of(const Assignment& assignment) {
  OptionTarget target{settings_};
  if (assignment.spec->scope == OptionScope::kVhost) {
    target.vhost = &settings_.vhosts[vhosts_.at(assignment.section).first];
  } else if (assignment.spec->scope == OptionScope::kKey) {
    target.key = &settings_.keys[keys_.at(assignment.section).first];
  } else if (assignment.spec->scope == OptionScope::kListener) {
    target.listener = &settings_.listeners[listeners_.at(assignment.section).first];
    // Routes are a list: the command line's takes the place of the file's.
    if (assignment.spec->repeatable && assignment.file.empty() && !pins_from_command_line_) {
      pins_from_command_line_ = true;
      target.listener->pins.clear();
    }
  }
  return target;
}

/// Of an option that has been applied. Each route is known by its key, an upstream by its address.
SettingsBuilder::Key SettingsBuilder::key_of(const Assignment& assignment,
                                             const OptionTarget& target) {
  std::string option = option_of(assignment.spec->scope, assignment.spec->name);
  if (!assignment.spec->repeatable) return {assignment.section, std::move(option)};
  if (target.vhost != nullptr) {
    option.append(" ").append(target.vhost->upstreams.back().address);
  } else if (target.listener != nullptr) {
    option.append(" ").append(target.listener->pins.back().key);
  } else {
    const std::string& variable = target.settings.worker_environment.back();
    option.append(" ").append(variable, 0, variable.find('='));
  }
  return {assignment.section, std::move(option)};
}

const Assignment* SettingsBuilder::written(const std::string& section,
                                           std::string_view option) const {
  const auto found = written_.find({section, std::string(option)});
  return found == written_.end() ? nullptr : &found->second;
}

const Assignment* SettingsBuilder::written(OptionScope scope, const std::string& section,
                                           std::string_view option) const {
  return written(section, option_of(scope, option));
}

bool SettingsBuilder::readable(const std::string& section,
                               std::initializer_list<std::string_view> options) const {
  return std::none_of(options.begin(), options.end(), [&](std::string_view option) {
    return unreadable_.contains({section, std::string(option)});
  });
}

void SettingsBuilder::note(const Status& status) {
  if (!status) problems_.add(status.error().text);
}

Result<Settings> SettingsBuilder::finish(std::string_view source, bool single_process) {
  if (single_process) settings_.workers = 0;
  check_addresses(source);
  note(check_workers());
  for (const ListenerSettings& listener : settings_.listeners) {
    // A worker program knows its own protocols, and tells of one that it does not know.
    if (!single_process) note(check_protocol(listener));
    note(check_upstreams(listener));
    note(check_pins(listener));
  }
  if (problems_.empty()) check_vhosts();
  judge_options();
  const Status status = problems_.status();
  if (!status) return status.error();
  return std::move(settings_);
}

void SettingsBuilder::judge_options() {
  // Beside what could not be read there is no telling.
  if (!unreadable_.empty()) return;
  const RuleFacts facts(settings_);
  std::vector<const Assignment*> in_order;
  for (const auto& [key, assignment] : written_) in_order.push_back(&assignment);
  std::stable_sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->file.empty(), a->line) < std::pair(b->file.empty(), b->line);
  });
  const Finding* unused = judge_vhosts(facts);
  for (const Assignment* assignment : in_order) {
    const bool of_vhost = assignment->spec->scope == OptionScope::kVhost;
    if (!of_vhost || unused == nullptr) judge_option(*assignment, facts);
  }
  if (unused != nullptr) warn_of_unused_vhosts(*unused);
  if (warnings_.size() <= Problems::kMostTold) return;
  const std::size_t more = warnings_.size() - Problems::kMostTold;
  warnings_.resize(Problems::kMostTold);
  warnings_.push_back({"", fmt::format("and {} more", more), Gravity::kIdle});
}

void SettingsBuilder::warn_of_unused_vhosts(const Finding& unused) {
  const auto used_to_set = [](const VhostSettings& vhost) {
    VhostSettings nothing;
    nothing.name = vhost.name;
    return vhost != nothing;
  };
  // One that says no more than the defaults is there to show them.
  for (const VhostSettings& vhost : settings_.vhosts) {
    const auto has_keys = written_.lower_bound({vhost.name, {}});
    const bool written = has_keys != written_.end() && has_keys->first.first == vhost.name;
    if (written && !used_to_set(vhost)) continue;
    warnings_.push_back({vhosts_.at(vhost.name).second, std::string(unused.why), unused.gravity});
    return;
  }
}

void SettingsBuilder::judge_option(const Assignment& assignment, const RuleFacts& facts) {
  const OptionSpec& spec = *assignment.spec;
  if (!spec.default_value.empty() && assignment.value == spec.default_value) return;
  WrittenOption option{spec.name, assignment.value};
  if (spec.scope == OptionScope::kListener) {
    option.listener = &settings_.listeners[listeners_.at(assignment.section).first];
  } else if (spec.scope == OptionScope::kVhost) {
    option.vhost = &settings_.vhosts[vhosts_.at(assignment.section).first];
  } else if (spec.scope == OptionScope::kKey) {
    option.key = &settings_.keys[keys_.at(assignment.section).first];
  }
  const Finding* finding = judge(option, facts);
  if (finding == nullptr) return;
  if (finding->gravity != Gravity::kDanger) return warn(assignment, finding->why, finding->gravity);
  problems_.add(fmt::format("{}: {}", describe(assignment), finding->why));
}

void SettingsBuilder::warn(const Assignment& assignment, std::string_view why, Gravity gravity) {
  warnings_.push_back({describe(assignment), std::string(why), gravity});
}

}  // namespace mpb
