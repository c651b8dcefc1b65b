#include "common/config/ini.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/utf8.hpp"
#include "common/config/option_table.hpp"
#include "common/config/option_values.hpp"

namespace mpb {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";
// UTF-32 first: its little-endian mark begins with that of UTF-16.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kForeignMarks{
    {{"\xff\xfe\0\0"sv, "UTF-32"},
     {"\0\0\xfe\xff"sv, "UTF-32"},
     {"\xff\xfe"sv, "UTF-16"},
     {"\xfe\xff"sv, "UTF-16"}}};
constexpr std::string_view kExpected =
    "expected key = value, [section], or a comment that begins its line with # or ;";

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
}

class Reader {
 public:
  Reader(std::string_view file, Problems& problems) : file_(file), problems_(problems) {
    sections_.emplace_back();
  }

  /// False: it is no text that could be read line by line.
  bool check_encoding(std::string_view text) {
    for (const auto& [mark, name] : kForeignMarks) {
      if (!text.starts_with(mark)) continue;
      problems_.add(fmt::format("{}: it is {}: expected text in UTF-8", file_, name), 0);
      return false;
    }
    const auto nul = text.find('\0');
    if (nul == std::string_view::npos) return true;
    line_ = static_cast<std::size_t>(1 + std::count(text.begin(), text.begin() + nul, '\n'));
    fail("a NUL byte: expected text in UTF-8 (this may be UTF-16, or no text at all)");
    return false;
  }

  void read_line(std::string_view line) {
    ++line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') return;
    if (!is_utf8(content)) return fail("this line is not UTF-8");
    if (std::any_of(content.begin(), content.end(), is_control)) {
      return fail("this line has a control character");
    }
    if (content.front() == '[') return read_section(content);
    const auto equals = content.find('=');
    const std::string_view key = trimmed(content.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(key)) return fail_at_key(content);
    sections_.back().entries.push_back(
        {line_, std::string(key), std::string(trimmed(content.substr(equals + 1)))});
  }

  [[nodiscard]] std::vector<IniSection> take() { return std::move(sections_); }

 private:
  void fail(std::string_view what) {
    problems_.add(fmt::format("{}:{}: {}", file_, line_, what), line_);
  }

  void read_section(std::string_view content) {
    if (content.back() == ']' && content.size() > 2) {
      sections_.push_back({line_, std::string(content.substr(1, content.size() - 2)), {}});
      return;
    }
    // What follows belongs to no section that is known.
    sections_.push_back({line_, {}, {}});
    fail("expected [section], and nothing behind it");
  }

  /// Names a known key that begins the line; not what follows, which may be a secret.
  void fail_at_key(std::string_view content) {
    const std::string_view word = content.substr(0, content.find_first_of(" \t=:"));
    if (find_option(word) == nullptr) return fail(kExpected);
    fail(fmt::format("{}: expected = and a value behind the key", word));
  }

  std::string_view file_;
  Problems& problems_;
  std::vector<IniSection> sections_;
  std::size_t line_ = 0;
};

}  // namespace

std::vector<IniSection> read_ini(std::string_view text, std::string_view file, Problems& problems) {
  if (text.starts_with(kUtf8Mark)) text.remove_prefix(kUtf8Mark.size());
  Reader reader(file, problems);
  if (!reader.check_encoding(text)) return reader.take();
  while (!text.empty()) {
    const auto end = text.find('\n');
    reader.read_line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.take();
}

}  // namespace mpb
