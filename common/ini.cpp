#include "common/ini.hpp"

#include <fmt/format.h>

#include <sstream>

#include <boost/program_options.hpp>

#include "common/option_values.hpp"

namespace mpb {
namespace {

namespace po = boost::program_options;

/// A line as Boost.Program_options sees it: without comment and outer blanks.
std::string_view content_of(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\n";
  line = line.substr(0, line.find('#'));
  const auto first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

Error line_error(std::string_view file, std::size_t line, std::string_view content,
                 std::string_view expected) {
  return usage_error(fmt::format("{}:{}: '{}': {}", file, line, printable(content), expected));
}

/// Reports what Boost.Program_options would refuse without a line number, or read out of bounds
/// ("[]"), and finds out which lines hold the sections and keys that it will deliver.
class Outline {
 public:
  Outline() { sections_.emplace_back(); }

  Status add_line(std::string_view file, std::size_t number, std::string_view content) {
    if (content.empty()) return {};
    if (content.find('\0') != std::string_view::npos) {
      return line_error(file, number, content, "expected text, found a NUL byte");
    }
    if (content.front() == '[') return add_section(file, number, content);
    if (content.find('=') == std::string_view::npos || content.front() == '=') {
      return line_error(file, number, content,
                        "expected key = value or [section]; a comment begins with #");
    }
    sections_.back().entries.push_back({number, {}, {}});
    return {};
  }

  /// Puts the keys and values, which come in the order of their lines, in their places.
  Status fill(const po::parsed_options& parsed, std::string_view file) {
    auto option = parsed.options.begin();
    for (IniSection& section : sections_) {
      const std::size_t prefix = prefix_size(section.name);
      for (IniEntry& entry : section.entries) {
        if (option == parsed.options.end() || option->string_key.size() < prefix ||
            option->value.empty()) {
          return usage_error(fmt::format("{}:{}: cannot be read", file, entry.line));
        }
        entry.key = option->string_key.substr(prefix);
        entry.value = option->value.front();
        ++option;
      }
    }
    return {};
  }

  [[nodiscard]] std::vector<IniSection> take() { return std::move(sections_); }

 private:
  Status add_section(std::string_view file, std::size_t number, std::string_view content) {
    if (content.back() != ']' || content.size() <= 2) {
      return line_error(file, number, content, "expected [section]");
    }
    sections_.push_back({number, std::string(content.substr(1, content.size() - 2)), {}});
    return {};
  }

  /// Boost.Program_options names a key SECTION.KEY, and adds no dot to one that is there.
  static std::size_t prefix_size(std::string_view section) {
    return section.empty() || section.back() == '.' ? section.size() : section.size() + 1;
  }

  std::vector<IniSection> sections_;
};

Status outline_lines(std::string_view text, std::string_view file, Outline& outline) {
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const Status added = outline.add_line(file, ++number, content_of(text.substr(0, end)));
    if (!added) return added;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {};
}

}  // namespace

Result<std::vector<IniSection>> read_ini(std::string_view text, std::string_view file) {
  Outline outline;
  const Status outlined = outline_lines(text, file, outline);
  if (!outlined) return outlined.error();
  try {
    std::istringstream stream{std::string(text)};
    const Status filled =
        outline.fill(po::parse_config_file(stream, po::options_description(), true), file);
    if (!filled) return filled.error();
  } catch (const po::error& error) {
    return usage_error(fmt::format("{}: {}", file, error.what()));
  }
  return outline.take();
}

}  // namespace mpb
