#include "common/options.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "common/command_line.hpp"
#include "common/ini.hpp"
#include "common/option_table.hpp"
#include "common/option_values.hpp"
#include "common/settings_builder.hpp"
#include "common/unique_fd.hpp"

namespace mpb {
namespace {

constexpr std::string_view kDefaultListener = "default";
constexpr std::string_view kCommandLineSource = "command line";

Result<std::string> read_config_file(const std::string& path) {
  const std::string what = fmt::format("cannot read configuration file {}", printable(path));
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_error(what);
  std::string text;
  std::array<char, 64 * 1024> chunk{};
  while (true) {
    const ssize_t size = ::read(file.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(what);
    if (size == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(size));
    if (text.size() > kMaxConfigSize) return text;  // parsing refuses it
  }
}

/// The name of a listener's section; empty for any other section.
std::optional<std::string> listener_of(std::string_view section) {
  constexpr std::string_view kPrefix = "listener";
  constexpr std::string_view kBlank = " \t";
  if (!section.starts_with(kPrefix)) return {};
  section.remove_prefix(kPrefix.size());
  const auto name = section.find_first_not_of(kBlank);
  if (name == 0 || name == std::string_view::npos) return {};
  section.remove_prefix(name);
  section = section.substr(0, section.find_last_not_of(kBlank) + 1);
  if (!is_name(section)) return {};
  return std::string(section);
}

/// Why `key` cannot stand where options of `scope` do.
std::string misplaced(std::string_view key, const OptionSpec* spec, OptionScope scope) {
  if (spec == nullptr) {
    const std::string_view nearest = nearest_option(key, std::array{scope});
    if (nearest.empty()) return "unknown key; --help lists the known ones";
    return fmt::format("unknown key; did you mean {}?", nearest);
  }
  switch (spec->scope) {
    case OptionScope::kListener:
      return "belongs to a listener: expected in a [listener NAME] section";
    case OptionScope::kGlobal:
      return "holds for all listeners: expected before the first [listener NAME] section";
    case OptionScope::kCommandLine:
      break;
  }
  return "can be given on the command line only";
}

Status add_entry(SettingsBuilder& builder, const IniEntry& entry, const std::string& listener,
                 std::string_view file) {
  const auto scope = listener.empty() ? OptionScope::kGlobal : OptionScope::kListener;
  const OptionSpec* spec = find_option(entry.key);
  if (spec == nullptr || spec->scope != scope) {
    const std::string section = listener.empty() ? "" : fmt::format("[listener {}] ", listener);
    return usage_error(fmt::format("{}:{}: {}{} = {}: {}", file, entry.line, section,
                                   printable(entry.key), printable(entry.value),
                                   misplaced(entry.key, spec, scope)));
  }
  return builder.set({spec, listener, entry.value, std::string(file), entry.line});
}

Status add_section(SettingsBuilder& builder, const IniSection& section, std::string_view file) {
  std::string listener;
  if (section.line > 0) {
    const std::string where =
        fmt::format("{}:{}: [{}]", file, section.line, printable(section.name));
    const auto name = listener_of(section.name);
    if (!name) {
      return usage_error(fmt::format(
          "{}: unknown section: expected [listener NAME], NAME of letters, digits, '_', '.' or '-'",
          where));
    }
    listener = *name;
    const Status added = builder.add_listener(listener, where);
    if (!added) return added;
  }
  for (const IniEntry& entry : section.entries) {
    const Status added = add_entry(builder, entry, listener, file);
    if (!added) return added;
  }
  return {};
}

Status add_config(SettingsBuilder& builder, std::string_view text, std::string_view file) {
  if (text.size() > kMaxConfigSize) {
    return usage_error(fmt::format("{}: larger than {} bytes: expected a configuration file", file,
                                   kMaxConfigSize));
  }
  const auto sections = read_ini(text, file);
  if (!sections) return sections.error();
  for (const IniSection& section : *sections) {
    const Status added = add_section(builder, section, file);
    if (!added) return added;
  }
  return {};
}

/// The listener that options of a command line are about.
Status add_default_listener(SettingsBuilder& builder, const CommandLine& line) {
  const std::string name(kDefaultListener);
  const auto is_listeners = [](const CommandLineOption& option) {
    return option.spec->scope == OptionScope::kListener;
  };
  const auto first = std::find_if(line.settings.begin(), line.settings.end(), is_listeners);
  if (first == line.settings.end() || builder.has_listener(name)) return {};
  const bool listens =
      std::any_of(line.settings.begin(), line.settings.end(),
                  [](const CommandLineOption& option) { return option.spec->name == "listen"; });
  if (listens) return builder.add_listener(name, kCommandLineSource);
  return usage_error(fmt::format(
      "command line: --{} {}: there is no listener for it: expected --listen ADDRESS, or a "
      "[listener {}] section in a configuration file",
      first->spec->name, printable(first->value), kDefaultListener));
}

Status add_command_line(SettingsBuilder& builder, const CommandLine& line) {
  const Status added = add_default_listener(builder, line);
  if (!added) return added;
  for (const CommandLineOption& option : line.settings) {
    const bool of_listener = option.spec->scope == OptionScope::kListener;
    const std::string listener(of_listener ? kDefaultListener : "");
    const Status set = builder.set({option.spec, listener, option.value});
    if (!set) return set;
  }
  return {};
}

}  // namespace

Result<ParsedOptions> parse_options(std::span<const char* const> args, std::string_view program) {
  const auto line = read_command_line(args);
  if (!line) return line.error();
  ParsedOptions options{{}, line->config_file, line->check_config, line->help, line->version, {}};
  if (options.help || options.version) return options;
  SettingsBuilder builder;
  std::string source(kCommandLineSource);
  if (!options.config_file.empty()) {
    const auto text = read_config_file(options.config_file);
    if (!text) return text.error();
    const Status added = add_config(builder, *text, options.config_file);
    if (!added) return added.error();
    source.append(" and ").append(options.config_file);
  }
  const Status added = add_command_line(builder, *line);
  if (!added) return added.error();
  const bool single_process = program == "mpworker";
  auto settings = builder.finish(source, single_process);
  if (!settings) return settings.error();
  const Status there = builder.check_environment(*settings, single_process);
  if (!there) return there.error();
  if (single_process) options.ignored = builder.meaningless_alone();
  options.settings = *std::move(settings);
  return options;
}

Result<Settings> parse_config(std::string_view text, std::string_view file) {
  SettingsBuilder builder;
  const Status added = add_config(builder, text, file);
  if (!added) return added.error();
  return builder.finish(file, false);
}

}  // namespace mpb
