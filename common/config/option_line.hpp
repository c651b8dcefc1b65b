// A command line read by a program's table of options: what it has, --help, errors. Every error is
// of kind kUsage and names the option, its value, and what is expected.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/version.hpp"
#include "common/config/option.hpp"

namespace mpb {

using OptionTexts = std::vector<const OptionText*>;

/// A command line taken apart; no value has been looked at.
struct OptionLine {
  struct Option {
    const OptionText* text;
    std::string value;
  };
  std::vector<Option> options;         // in their order
  std::vector<std::string> arguments;  // words that no option takes
  std::string unknown;                 // an option that is none, dashes and all; then nothing else

  [[nodiscard]] bool has(std::string_view name) const;
  /// An error for the first of `names` that the line has.
  [[nodiscard]] Status forbid(std::string_view with,
                              std::initializer_list<std::string_view> names) const;
};

/// `words` without the program's name.
Result<OptionLine> take_apart(const OptionTexts& known, std::span<const std::string> words);

/// The name in an option as it was written: neither its dashes nor what is behind '='.
std::string_view without_dashes(std::string_view option);
/// Names what was meant where one of `known` is near.
Error unknown_option(const OptionTexts& known, std::string_view option);
/// The name that is nearest to a mistyped one; empty when none is near.
std::string_view nearest_option(const OptionTexts& known, std::string_view name);

/// Options in groups under their headings, as --help shows them.
std::string options_help(const OptionTexts& options);

// --- for programs whose options are only on their command line

/// An option of a program whose settings are a T.
template <class T>
struct Option : OptionText {
  Status (*apply)(T& settings, std::string_view value) = nullptr;  // none: of --help and --version
  bool repeatable = false;
};

template <class Kind, auto... Path>
struct Into {
  template <class T>
  using Apply = Status (*)(T&, std::string_view);
  template <class T>
  constexpr operator Apply<T>() const {  // NOLINT(*-explicit-*): it is what the entry needs
    return [](T& settings, std::string_view text) { return store<Kind, Path...>(settings, text); };
  }
};
/// `Option::apply` for a member of the settings, by a path of members.
template <class Kind, auto... Path>
inline constexpr Into<Kind, Path...> into;

template <class T>
constexpr Option<T> help_option(std::string_view group) {
  return {{"help", group, "", "", "", "print this and exit"}};
}
template <class T>
constexpr Option<T> version_option(std::string_view group) {
  return {{"version", group, "", "", "", "print the version and exit"}};
}

inline constexpr std::size_t kAnyArguments = static_cast<std::size_t>(-1);

/// A program's command line.
template <class T>
struct Program {
  std::string_view name;
  std::span<const Option<T>> options;
  std::string_view usage;     // what --help says before the options
  std::string_view ending{};  // and behind them
  std::size_t most_arguments = 0;
  std::string_view too_many = "expected an option";  // what is said of more

  [[nodiscard]] std::string help() const {
    return std::string(usage) + options_help(texts()) + std::string(ending);
  }
  [[nodiscard]] OptionTexts texts() const {
    OptionTexts all;
    for (const Option<T>& option : options) all.push_back(&option);
    return all;
  }
};

template <class T>
struct ProgramLine {
  std::string print;  // of --help or --version: then nothing else was looked at
  T settings;         // with the defaults where the line says nothing
  OptionLine line;
};

/// The error of a value, which was written behind `name`.
Error value_error(std::string_view name, std::string_view value, const Error& why);

template <class T>
Result<ProgramLine<T>> read_program_line(const Program<T>& program,
                                         std::span<const std::string> words) {
  const OptionTexts known = program.texts();
  auto line = take_apart(known, words);
  if (!line) return line.error();
  ProgramLine<T> read{{}, {}, *std::move(line)};
  if (!read.line.unknown.empty()) return unknown_option(known, read.line.unknown);
  if (read.line.has("help")) read.print = program.help();
  if (read.line.has("version")) read.print = version_text(program.name);
  if (!read.print.empty()) return read;
  if (read.line.arguments.size() > program.most_arguments) {
    return usage_error(std::string(program.too_many));
  }
  for (const Option<T>& option : program.options) {
    if (!option.default_value.empty()) {
      if (const Status done = option.apply(read.settings, option.default_value); !done) {
        return value_error(option.name, option.default_value, done.error());
      }
    }
    bool given = false;
    for (const OptionLine::Option& written : read.line.options) {
      if (written.text != &option) continue;
      if (std::exchange(given, true) && !option.repeatable) {
        return value_error(option.name, written.value, usage_error("given twice"));
      }
      const Status done = option.apply(read.settings, written.value);
      if (!done) return value_error(option.name, written.value, done.error());
    }
  }
  return read;
}

}  // namespace mpb
