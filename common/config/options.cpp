#include "common/config/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/config/command_line.hpp"
#include "common/config/config_file.hpp"
#include "common/config/option_values.hpp"
#include "common/config/settings_builder.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr std::string_view kDefaultListener = "default";
constexpr std::string_view kCommandLineSource = "command line";

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

void add_command_line(SettingsBuilder& builder, const CommandLine& line) {
  const Status added = add_default_listener(builder, line);
  if (!added) builder.problems().add(added.error().text);
  for (const CommandLineOption& option : line.settings) {
    const bool of_listener = option.spec->scope == OptionScope::kListener;
    if (of_listener && !added) continue;
    builder.set({option.spec, std::string(of_listener ? kDefaultListener : ""), option.value});
  }
}

}  // namespace

Result<ParsedOptions> parse_options(std::span<const char* const> args, std::string_view program,
                                    const KeptFile* kept) {
  const auto line = read_command_line(args);
  if (!line) return line.error();
  ParsedOptions options{{}, line->config_file, line->check_config, line->help, line->version, {}};
  if (options.help || options.version) return options;
  SettingsBuilder builder;
  std::string source(kCommandLineSource);
  if (!options.config_file.empty()) {
    const auto text = read_config_file(options.config_file, kept);
    if (!text) return text.error();
    add_config(builder, *text, options.config_file);
    source.append(" and ").append(options.config_file);
  }
  add_command_line(builder, *line);
  const bool single_process = program == "mpworker";
  auto settings = builder.finish(source, single_process);
  if (!settings) return settings.error();
  const Status there = builder.check_environment(*settings, single_process);
  if (!there) return there.error();
  options.warnings = builder.warnings();
  options.settings = *std::move(settings);
  return options;
}

Result<Settings> parse_config(std::string_view text, std::string_view file,
                              std::vector<Warning>* warnings) {
  SettingsBuilder builder;
  add_config(builder, text, file);
  auto settings = builder.finish(file, false);
  if (warnings != nullptr) *warnings = builder.warnings();
  return settings;
}

void log_warnings(const std::vector<Warning>& warnings) {
  for (const Warning& warning : warnings) {
    log_warning(warning.gravity == Gravity::kIdle ? "ignored" : "doubtful")(
        "option", warning.option)("why", warning.why);
  }
}

}  // namespace mpb
