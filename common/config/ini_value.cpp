#include "common/config/ini_value.hpp"

#include <algorithm>

#include "common/base/utf8.hpp"

namespace mpb {
namespace {

constexpr char kQuote = '"';
constexpr char kEscape = '\\';

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool begins_comment(char c) {
  return c == '#' || c == ';';
}

bool is_quote(char c) {
  return c == kQuote || c == '\'';
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
}

/// Whether a reader could take a part of it for a comment.
bool looks_commented(std::string_view text) {
  if (begins_comment(text.front())) return true;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (begins_comment(text[i]) && is_blank(text[i - 1])) return true;
  }
  return false;
}

/// `text` begins with a quote.
Result<std::string> read_quoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == kQuote) {
      if (i + 1 == text.size()) return value;
      return usage_error("expected nothing behind the closing quote (and \\\" for a quote within)");
    }
    if (text[i] == kEscape) {
      ++i;
      if (i == text.size() || (text[i] != kQuote && text[i] != kEscape)) {
        return usage_error("expected \\\" or \\\\ where a backslash stands within quotes");
      }
    }
    value += text[i];
  }
  return usage_error("expected a closing quote");
}

/// Empty: it means what it says.
std::string_view why_doubtful(std::string_view text) {
  if (looks_commented(text)) {
    return "expected comments on a line of their own; a value with # or ; at its beginning or "
           "behind a blank stands in double quotes";
  }
  if (is_quote(text.front()) || is_quote(text.back())) {
    return "expected double quotes around all of the value, or none; within them \\\" is a quote";
  }
  if (text.back() == kEscape) {
    return "expected no backslash at the end: a value is on one line (in double quotes \\\\ is a "
           "backslash)";
  }
  return {};
}

}  // namespace

Result<std::string> read_ini_value(std::string_view written) {
  if (written.empty()) return std::string();
  if (!is_utf8(written)) return usage_error("expected text in UTF-8");
  if (std::any_of(written.begin(), written.end(), is_control)) {
    return usage_error("expected one line without control characters");
  }
  if (is_blank(written.front()) || is_blank(written.back())) {
    return usage_error("expected no blanks around it, or double quotes");
  }
  if (written.front() == kQuote) return read_quoted(written);
  const std::string_view doubt = why_doubtful(written);
  if (!doubt.empty()) return usage_error(std::string(doubt));
  return std::string(written);
}

std::string write_ini_value(std::string_view value) {
  const bool plain = !value.empty() && !is_blank(value.front()) && !is_blank(value.back()) &&
                     why_doubtful(value).empty();
  if (plain || value.empty()) return std::string(value);
  std::string quoted(1, kQuote);
  for (const char c : value) {
    if (c == kQuote || c == kEscape) quoted += kEscape;
    quoted += c;
  }
  return quoted.append(1, kQuote);
}

}  // namespace mpb
