#include "common/config/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/config/option_line.hpp"
#include "common/config/options.hpp"

namespace mpb {
namespace {

/// What a command line can have: all but the keys of vhosts and of keys.
OptionTexts command_line_options() {
  return options_of({OptionScope::kListener, OptionScope::kGlobal, OptionScope::kCommandLine});
}

/// Those for --help: as options, but without the dashes, which no key has.
std::string keys_of_sections() {
  std::string keys = options_help(options_of({OptionScope::kVhost, OptionScope::kKey}));
  for (auto at = keys.find("\n  --"); at != std::string::npos; at = keys.find("\n  --", at)) {
    keys.replace(at, 5, "\n    ");
  }
  return keys;
}

Error command_line_error(std::string_view text) {
  return usage_error(fmt::format("command line: {}", text));
}

/// `option` as it was written, dashes and all.
Error not_an_option(const OptionTexts& known, std::string_view option) {
  if (find_option(without_dashes(option), OptionScope::kVhost) == nullptr) {
    return command_line_error(unknown_option(known, option).text);
  }
  return command_line_error(fmt::format(
      "{}: belongs to a vhost: expected in a [vhost NAME] section of a file; --help lists the "
      "options",
      shown_option(option)));
}

Status add_option(CommandLine& line, const OptionSpec& spec, const std::string& value) {
  if (spec.apply != nullptr) {
    line.settings.push_back({&spec, value});
  } else if (spec.name == "check-config") {
    line.check_config = true;
  } else if (spec.name == "help") {
    line.help = true;
  } else if (spec.name == "version") {
    line.version = true;
  } else if (value.empty() || !line.config_file.empty()) {
    return command_line_error(fmt::format(
        "--config {}: expected the path of one file; --help lists the options", printable(value)));
  } else {
    line.config_file = value;
  }
  return {};
}

/// A word that nobody expected: KEY=VALUE without its dashes may have a secret.
std::string shown_word(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return fmt::format("'{}'", printable(word));
  return fmt::format("'{}=...'", shown_key(word.substr(0, equals)));
}

}  // namespace

Result<CommandLine> read_command_line(std::span<const char* const> args) {
  const auto own = args.subspan(std::min<std::size_t>(args.size(), 1));
  const std::vector<std::string> words(own.begin(), own.end());
  const OptionTexts known = command_line_options();
  const auto taken = take_apart(known, words);
  if (!taken) return command_line_error(taken.error().text);
  if (!taken->unknown.empty()) return not_an_option(known, taken->unknown);
  if (!taken->arguments.empty()) {
    return command_line_error(fmt::format("{}: expected an option; --help lists the options",
                                          shown_word(taken->arguments.front())));
  }
  CommandLine line;
  for (const auto& [text, value] : taken->options) {
    const Status added = add_option(line, *static_cast<const OptionSpec*>(text), value);
    if (!added) return added.error();
  }
  return line;
}

std::string help_text(std::string_view program) {
  constexpr std::string_view kWorker =
      "Usage: mpworker [OPTION]...\n"
      "Accepts and serves clients in a single process, as mpbroker --workers 0 does. It\n"
      "takes the options of mpbroker; those about several workers have no effect.\n";
  constexpr std::string_view kBroker =
      "Usage: mpbroker --listen ADDRESS [OPTION]...\n"
      "       mpbroker --config FILE [OPTION]...\n"
      "Starts workers that accept clients, and moves each client to the worker that owns\n"
      "its key, by its file descriptor.\n";
  return fmt::format(
      "{}\nThe configuration file has the same names without --: those of a listener in a\n"
      "section [listener NAME] each, all others before the first section. On the command\n"
      "line the options under Listener are about the listener named default.\n"
      "TIME is a whole number with its unit: 200ms, 5s, 1m, 2h, 1d; or 0.\n\n"
      "{}\nKeys of a [vhost NAME] section, for protocol rtmp, and of a [key PATTERN] section, for\n"
      "keys of other protocols, which only a file can have:\n\n{}",
      program == "mpworker" ? kWorker : kBroker, options_help(command_line_options()),
      keys_of_sections());
}

}  // namespace mpb
