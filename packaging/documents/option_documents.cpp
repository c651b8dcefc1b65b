#include "packaging/documents/option_documents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace mpb::documents {
namespace {

constexpr std::size_t kColumns = 100;

constexpr std::string_view kPreamble =
    R"(# mpbroker's configuration: every key, with its default and its meaning.
#
#   mpbroker --config examples/mpbroker.ini --check-config
#
# A key that is commented out is unset by default; what that means is told beside it. A key that is
# left out has its default. Each key can also be given on the command line with -- before it, where
# it wins over this file. A comment begins its line with # or ;. A value is the rest of its line; one
# with blanks at its ends, or with a # or ; that could be taken for a comment, stands in double quotes
# ("a # b"; \" and \\ within).
# TIME is a whole number with its unit: 200ms, 5s, 1m, 2h, 1d; or 0; at most 49d.
# SIGHUP to mpbroker reads this file again; a file with an error changes nothing.
# tools/documents writes this file from common/config/option_table.cpp.
)";
constexpr std::string_view kListenerHead = R"(
# --- listeners: a section each, any number --------------------------------------------------------
# A listener named default is the one that the listener options of a command line are about.

[listener main]
)";
constexpr std::string_view kVhostHead = R"(
# --- vhosts: a section each, any number -----------------------------------------------------------
# For protocol rtmp. NAME is a host name, *.example.com for all names below it that have no section
# of their own (the longest counts), or __defaultVhost__ for all others and for clients that name
# none, or an address. Without any section every name is a vhost with these defaults; with some but
# without __defaultVhost__ other names are refused. A reload, or mpctl, changes all of it for the
# clients that are there, too.

[vhost __defaultVhost__]
)";

constexpr std::string_view kKeyHead = R"(
# --- keys: a section each, any number -------------------------------------------------------------
# For protocols other than rtmp, where a listener has isolate = key. PATTERN is a key, or has one *
# that stands for whatever may be there: room-*, *, 7. A key's own section counts, else the longest
# pattern. What is changed counts for the key's next process.

[key *]
)";

std::string capitalised(std::string_view text) {
  std::string result(text);
  if (!result.empty()) {
    result.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(result.front())));
  }
  return result;
}

/// With its details, as whole sentences. One that begins with a value keeps its letters.
std::string meaning(const OptionSpec& spec) {
  const bool is_value = spec.placeholder == "MODE" || spec.placeholder == "LEVEL";
  std::string text = is_value ? std::string(spec.help) : capitalised(spec.help);
  text += '.';
  if (!spec.details.empty()) text.append(" ").append(spec.details);
  return text;
}

std::string_view default_of(const OptionSpec& spec) {
  return spec.default_value.empty() ? spec.unset_meaning : spec.default_value;
}

std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '-') escaped += '\\';
    escaped += c;
    if (c == '\\') escaped += 'e';
  }
  return escaped;
}

std::string wrapped(std::string_view text) {
  std::string lines;
  std::size_t column = kColumns;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (column + 1 + word.size() > kColumns) {
      lines += lines.empty() ? "#" : "\n#";
      column = 1;
    }
    lines.append(" ").append(word);
    column += 1 + word.size();
    at = end + 1;
  }
  return lines + '\n';
}

std::string example_entry(const OptionSpec& spec) {
  std::string text = meaning(spec);
  if (spec.default_value.empty() && !spec.unset_meaning.empty()) {
    text += fmt::format(" Unset: {}.", spec.unset_meaning);
  }
  const bool commented = spec.default_value.empty() && !spec.unset_meaning.empty();
  const std::string_view value = spec.default_value.empty() ? spec.example : spec.default_value;
  return fmt::format("\n{}{}{} = {}\n", wrapped(text), commented ? "#" : "", spec.name, value);
}

std::string example_entries(OptionScope scope) {
  std::string text;
  std::string_view group;
  for (const OptionSpec& spec : option_table()) {
    if (spec.scope != scope) continue;
    if (scope == OptionScope::kGlobal && group != spec.group) {
      group = spec.group;
      text += fmt::format("\n{:-<100}\n", fmt::format("# --- {} ", group));
    }
    text += example_entry(spec);
  }
  return text;
}

}  // namespace

std::string manual_entries(bool of_sections) {
  std::string text;
  std::string_view group;
  for (const OptionSpec& spec : option_table()) {
    const bool of_section = spec.scope == OptionScope::kVhost || spec.scope == OptionScope::kKey;
    if (of_section != of_sections) continue;
    if (group != spec.group) {
      group = spec.group;
      text += fmt::format(".SS {}\n", group);
    }
    text += fmt::format(".TP\n\\fB{}{}\\fR", of_sections ? "" : "\\-\\-", roff(spec.name));
    if (!spec.placeholder.empty()) text += fmt::format(" \\fI{}\\fR", roff(spec.placeholder));
    text += fmt::format("\n{}\n", roff(meaning(spec)));
    if (!default_of(spec).empty()) text += fmt::format("Default: {}.\n", roff(default_of(spec)));
  }
  return text;
}

std::string example_file() {
  return fmt::format("{}{}{}{}{}{}{}{}", kPreamble, example_entries(OptionScope::kGlobal),
                     kListenerHead, example_entries(OptionScope::kListener), kVhostHead,
                     example_entries(OptionScope::kVhost), kKeyHead,
                     example_entries(OptionScope::kKey));
}

std::string option_tables() {
  std::string text;
  std::string_view group;
  for (const OptionSpec& spec : option_table()) {
    if (group != spec.group) {
      group = spec.group;
      text += fmt::format("\n**{}**\n\n| key | default | meaning |\n|---|---|---|\n", group);
    }
    std::string row = fmt::format("`{}` | {} | {}", spec.name, default_of(spec), meaning(spec));
    for (std::size_t at = row.find('*'); at != std::string::npos; at = row.find('*', at + 2)) {
      row.insert(at, 1, '\\');
    }
    text += fmt::format("| {} |\n", row);
  }
  return text + '\n';
}

std::string with_region(std::string_view text, std::string_view name, std::string_view body) {
  const std::size_t begin = text.find(fmt::format("{} begin", name));
  const std::size_t end = text.find(fmt::format("{} end", name));
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  const std::size_t from = text.find('\n', begin) + 1;
  const std::size_t to = text.rfind('\n', end) + 1;
  return fmt::format("{}{}{}", text.substr(0, from), body, text.substr(to));
}

}  // namespace mpb::documents
