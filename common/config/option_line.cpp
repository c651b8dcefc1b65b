#include "common/config/option_line.hpp"

#include <numeric>
#include <sstream>

#include <boost/program_options.hpp>

#include "common/config/option_table.hpp"

namespace mpb {
namespace {

namespace po = boost::program_options;

constexpr unsigned kLineLength = 90;

/// What --help says of an option: its meaning and its default.
std::string explain(const OptionText& option) {
  const bool has_default = !option.default_value.empty();
  if (!has_default && option.unset_meaning.empty()) return std::string(option.help);
  return fmt::format("{} (default: {})", option.help,
                     has_default ? option.default_value : option.unset_meaning);
}

void describe(po::options_description& group, const OptionText& option) {
  const std::string name(option.name == "help" ? "help,h" : option.name);
  const std::string text = explain(option);
  if (option.placeholder.empty()) {
    group.add_options()(name.c_str(), text.c_str());
  } else {
    auto* value = po::value<std::string>()->value_name(std::string(option.placeholder));
    group.add_options()(name.c_str(), value, text.c_str());
  }
}

/// Options as Boost.Program_options takes them, in groups under their headings.
po::options_description grouped(const OptionTexts& options) {
  po::options_description all(kLineLength);
  for (auto begin = options.begin(); begin != options.end();) {
    const auto end = std::find_if(begin, options.end(), [&](const OptionText* option) {
      return option->group != (*begin)->group;
    });
    po::options_description group(std::string((*begin)->group), kLineLength);
    std::for_each(begin, end, [&](const OptionText* option) { describe(group, *option); });
    all.add(group);
    begin = end;
  }
  return all;
}

/// "--name=" in two words, as which Boost.Program_options takes an empty value.
std::vector<std::string> with_empty_values(std::span<const std::string> given) {
  std::vector<std::string> words;
  for (const std::string& word : given) {
    const bool empty_value = word.starts_with("--") && word.find('=') == word.size() - 1;
    words.emplace_back(empty_value ? word.substr(0, word.size() - 1) : word);
    if (empty_value) words.emplace_back();
  }
  return words;
}

/// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view without_dashes(std::string_view option) {
  option = option.substr(0, option.find('='));
  option.remove_prefix(std::min(option.find_first_not_of('-'), option.size()));
  return option;
}

bool OptionLine::has(std::string_view name) const {
  return std::any_of(options.begin(), options.end(),
                     [&](const Option& option) { return option.text->name == name; });
}

Status OptionLine::forbid(std::string_view with,
                          std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    if (has(name)) return usage_error(fmt::format("--{} does not go with {}", name, with));
  }
  return {};
}

Result<OptionLine> take_apart(const OptionTexts& known, std::span<const std::string> words) {
  // Scripts must not break when a new option makes a shortened name ambiguous: no guessing.
  constexpr int kStyle =
      po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  OptionLine line;
  try {
    const po::options_description options = grouped(known);
    const auto parsed =
        po::command_line_parser(with_empty_values(words)).options(options).style(kStyle).run();
    for (const po::option& option : parsed.options) {
      std::string value = option.value.empty() ? "" : option.value.front();
      const auto text = std::find_if(known.begin(), known.end(), [&](const OptionText* one) {
        return one->name == option.string_key;
      });
      if (text != known.end()) {
        line.options.push_back({*text, std::move(value)});
      } else if (option.string_key.empty()) {
        line.arguments.push_back(std::move(value));
      } else {
        return OptionLine{{}, {}, option.string_key};
      }
    }
  } catch (const po::unknown_option& error) {
    return OptionLine{{}, {}, error.get_option_name()};
  } catch (const po::error& error) {
    return usage_error(fmt::format("{}; --help lists the options", printable(error.what())));
  }
  return line;
}

std::string_view nearest_option(const OptionTexts& known, std::string_view name) {
  constexpr std::size_t kMaxMistyped = 40;
  if (name.size() > kMaxMistyped) return {};
  std::size_t nearest = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::string_view suggestion;
  for (const OptionText* option : known) {
    const bool shortened = !name.empty() && option->name.starts_with(name);
    const std::size_t distance = shortened ? 0 : edit_distance(name, option->name);
    if (distance >= nearest) continue;
    nearest = distance;
    suggestion = option->name;
  }
  return suggestion;
}

Error unknown_option(const OptionTexts& known, std::string_view option) {
  const std::string_view nearest = nearest_option(known, without_dashes(option));
  return usage_error(
      fmt::format("{}: unknown option{}; --help lists the options", shown_option(option),
                  nearest.empty() ? "" : fmt::format("; did you mean --{}?", nearest)));
}

std::string options_help(const OptionTexts& options) {
  std::ostringstream text;
  text << grouped(options);
  return text.str();
}

Error value_error(std::string_view name, std::string_view value, const Error& why) {
  return usage_error(
      fmt::format("--{} {}: {}", name, value.empty() ? "''" : printable(value), why.text));
}

}  // namespace mpb
