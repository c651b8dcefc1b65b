#include "common/config/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

#include <boost/program_options.hpp>

#include "common/config/option_values.hpp"
#include "common/config/options.hpp"

namespace mpb {
namespace {

namespace po = boost::program_options;

/// What --help says of an option: its meaning and its default.
std::string explain(const OptionSpec& spec) {
  const bool has_default = !spec.default_value.empty();
  if (!has_default && spec.unset_meaning.empty()) return std::string(spec.help);
  return fmt::format("{} (default: {})", spec.help,
                     has_default ? spec.default_value : spec.unset_meaning);
}

void describe_option(po::options_description& group, const OptionSpec& spec) {
  const std::string name(spec.name == "help" ? "help,h" : spec.name);
  const std::string text = explain(spec);
  if (spec.placeholder.empty()) {
    group.add_options()(name.c_str(), text.c_str());
  } else {
    auto* value = po::value<std::string>()->value_name(std::string(spec.placeholder));
    group.add_options()(name.c_str(), value, text.c_str());
  }
}

/// Options as Boost.Program_options takes them, in groups under their headings.
po::options_description grouped(std::span<const OptionSpec> table) {
  constexpr unsigned kLineLength = 90;
  po::options_description all(kLineLength);
  for (auto begin = table.begin(); begin != table.end();) {
    const auto end = std::find_if(
        begin, table.end(), [&](const OptionSpec& spec) { return spec.group != begin->group; });
    po::options_description group(std::string(begin->group), kLineLength);
    std::for_each(begin, end, [&](const OptionSpec& spec) { describe_option(group, spec); });
    all.add(group);
    begin = end;
  }
  return all;
}

/// What a command line can have: all but the keys of vhosts, which are the last in the table.
po::options_description all_options() {
  return grouped(option_table().first(option_table().size() - vhost_option_table().size()));
}

/// The keys of vhosts for --help: as options, but without the dashes, which no key has.
std::string vhost_keys() {
  std::ostringstream text;
  text << grouped(vhost_option_table());
  std::string keys = text.str();
  for (auto at = keys.find("\n  --"); at != std::string::npos; at = keys.find("\n  --", at)) {
    keys.replace(at, 5, "\n    ");
  }
  return keys;
}

Error command_line_error(std::string_view text) {
  return usage_error(fmt::format("command line: {}; --help lists the options", text));
}

/// `option` as it was written, dashes and all.
Error unknown_option(std::string_view option) {
  constexpr std::array kScopes{OptionScope::kListener, OptionScope::kGlobal,
                               OptionScope::kCommandLine};
  std::string_view name = option.substr(0, option.find('='));
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  const OptionSpec* known = find_option(name);
  if (known != nullptr && known->scope == OptionScope::kVhost) {
    return command_line_error(
        fmt::format("{}: belongs to a vhost: expected in a [vhost NAME] section of a file",
                    shown_option(option)));
  }
  const std::string_view nearest = nearest_option(name, kScopes);
  return command_line_error(
      fmt::format("{}: unknown option{}", shown_option(option),
                  nearest.empty() ? "" : fmt::format("; did you mean --{}?", nearest)));
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
    return command_line_error(
        fmt::format("--config {}: expected the path of one file", printable(value)));
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

Result<CommandLine> collect(const po::parsed_options& parsed) {
  CommandLine line;
  for (const po::option& option : parsed.options) {
    const std::string value = option.value.empty() ? "" : option.value.front();
    if (option.string_key.empty()) {
      return command_line_error(fmt::format("{}: expected an option", shown_word(value)));
    }
    const OptionSpec* spec = find_option(option.string_key);
    if (spec == nullptr) return unknown_option(option.string_key);
    const Status added = add_option(line, *spec, value);
    if (!added) return added.error();
  }
  return line;
}

/// "--name=" in two words, as which Boost.Program_options takes an empty value.
std::vector<std::string> words_of(std::span<const char* const> args) {
  std::vector<std::string> words;
  for (const std::string_view arg : args) {
    const bool empty_value = arg.starts_with("--") && arg.find('=') == arg.size() - 1;
    words.emplace_back(empty_value ? arg.substr(0, arg.size() - 1) : arg);
    if (empty_value) words.emplace_back();
  }
  return words;
}

}  // namespace

Result<CommandLine> read_command_line(std::span<const char* const> args) {
  const auto own = args.subspan(std::min<std::size_t>(args.size(), 1));
  // Scripts must not break when a new option makes a shortened name ambiguous: no guessing.
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    const po::options_description options = all_options();
    return collect(po::command_line_parser(words_of(own)).options(options).style(style).run());
  } catch (const po::unknown_option& error) {
    return unknown_option(error.get_option_name());
  } catch (const po::error& error) {
    return command_line_error(printable(error.what()));
  }
}

std::string help_text(std::string_view program) {
  std::ostringstream text;
  if (program == "mpworker") {
    text << "Usage: mpworker [OPTION]...\n"
            "Accepts and serves clients in a single process, as mpbroker --workers 0 does. It\n"
            "takes the options of mpbroker; those about several workers have no effect.\n";
  } else {
    text << "Usage: mpbroker --listen ADDRESS [OPTION]...\n"
            "       mpbroker --config FILE [OPTION]...\n"
            "Starts workers that accept clients, and moves each client to the worker that owns\n"
            "its key, by its file descriptor.\n";
  }
  text << "\nThe configuration file has the same names without --: those of a listener in a\n"
          "section [listener NAME] each, all others before the first section. On the command\n"
          "line the options under Listener are about the listener named default.\n"
          "TIME is a whole number with its unit: 200ms, 5s, 1m, 2h, 1d; or 0.\n\n"
       << all_options()
       << "\nKeys of a [vhost NAME] section, which only a file can have, for protocol rtmp:\n\n"
       << vhost_keys();
  return text.str();
}

}  // namespace mpb
