#include "common/settings_builder.hpp"

#include <fmt/format.h>

#include "common/option_values.hpp"

namespace mpb {

std::string describe(const Assignment& assignment) {
  const std::string value = printable(assignment.value);
  if (assignment.file.empty()) {
    return fmt::format("command line: --{} {}", assignment.spec->name,
                       value.empty() ? "''" : value);
  }
  const std::string section =
      assignment.listener.empty() ? "" : fmt::format("[listener {}] ", assignment.listener);
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

Status SettingsBuilder::set(Assignment assignment) {
  const bool from_file = !assignment.file.empty();
  const Status applied = apply(assignment);
  if (!applied) {
    return usage_error(fmt::format("{}: {}", describe(assignment), applied.error().text));
  }
  const auto [earlier, first] = written_.try_emplace(key_of(assignment), assignment);
  if (first) return {};
  if (earlier->second.file.empty() != from_file) {
    return usage_error(fmt::format("{}: given twice; before: {}", describe(assignment),
                                   describe(earlier->second)));
  }
  earlier->second = std::move(assignment);
  return {};
}

Status SettingsBuilder::apply(const Assignment& assignment) {
  ListenerSettings* listener = nullptr;
  if (assignment.spec->scope == OptionScope::kListener) {
    listener = &settings_.listeners[listeners_.at(assignment.listener).first];
    // Routes are a list: the command line's takes the place of the file's.
    if (assignment.spec->repeatable && assignment.file.empty() && !pins_from_command_line_) {
      pins_from_command_line_ = true;
      listener->pins.clear();
    }
  }
  return assignment.spec->apply({settings_, listener}, assignment.value);
}

/// Of an option that has been applied. Each route is known by its key.
SettingsBuilder::Key SettingsBuilder::key_of(const Assignment& assignment) const {
  std::string option(assignment.spec->name);
  if (assignment.spec->repeatable) {
    const auto& pins = settings_.listeners[listeners_.at(assignment.listener).first].pins;
    option.append(" ").append(pins.back().key);
  }
  return {assignment.listener, std::move(option)};
}

const Assignment* SettingsBuilder::written(const std::string& listener,
                                           std::string_view option) const {
  const auto found = written_.find({listener, std::string(option)});
  return found == written_.end() ? nullptr : &found->second;
}

Result<Settings> SettingsBuilder::finish(std::string_view source, bool single_process) {
  if (single_process) settings_.workers = 0;
  Status status = check_addresses(source);
  if (status) status = check_workers();
  for (const ListenerSettings& listener : settings_.listeners) {
    // A worker program knows its own protocols, and tells of one that it does not know.
    if (status && !single_process) status = check_protocol(listener);
    if (status) status = check_pins(listener);
  }
  if (!status) return status.error();
  return std::move(settings_);
}

}  // namespace mpb
