#include "mpctl/answer.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

#include "common/base/plain_text.hpp"
#include "common/base/utf8.hpp"
#include "common/config/problems.hpp"
#include "mpctl/safe_text.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

std::uint64_t as_number(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() > 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  constexpr double kMost = 1e18;
  if (value.is_double() && value.get_double() > 0 && value.get_double() < kMost) {
    return static_cast<std::uint64_t>(value.get_double());
  }
  return 0;
}

}  // namespace

Result<json::object> parse_object(std::string_view line) {
  json::error_code error;
  json::value value = json::parse(valid_utf8(line, "\\ufffd"), error);
  if (error) return protocol_error("the answer is not JSON: " + error.message());
  if (!value.is_object()) return protocol_error("the answer is not a JSON object");
  return std::move(value.get_object());
}

Status check_answer(const json::object& answer) {
  if (flag(answer, "ok")) return {};
  const json::value* error = answer.if_contains("error");
  if (error == nullptr || !error->is_string()) {
    return protocol_error("the broker refused and does not say why");
  }
  std::string text;
  for (const std::string& line : lines_of(std::string(error->get_string()))) {
    text.append(text.empty() ? "" : "\n").append(plain_text(line));
  }
  const json::value* help = answer.if_contains("help");
  if (help != nullptr && help->is_string()) text += "\nhelp: " + plain_text(help->get_string());
  return unavailable_error(std::move(text));
}

std::uint64_t number(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value == nullptr ? 0 : as_number(*value);
}

std::optional<std::uint64_t> number_at(const json::object& object, std::string_view name) {
  const auto dot = name.find('.');
  if (dot != std::string_view::npos) {
    return number_at(member_object(object, name.substr(0, dot)), name.substr(dot + 1));
  }
  if (!object.contains(name)) return std::nullopt;
  return number(object, name);
}

std::string count_text(const json::object& object, std::string_view member) {
  return fmt::to_string(number(object, member));
}

bool flag(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string text(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || !value->is_string() || value->get_string().empty()) return "-";
  return safe_text(value->get_string());
}

const json::object& member_object(const json::object& object, std::string_view member) {
  static const json::object kNone;
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

const json::array& member_array(const json::object& object, std::string_view member) {
  static const json::array kNone;
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

std::uint64_t sum(const json::object& object) {
  std::uint64_t total = 0;
  for (const auto& member : object) total += as_number(member.value());
  return total;
}

std::string warnings_text(const json::object& answer) {
  std::string lines;
  for (const json::value& warning : member_array(answer, "warnings")) {
    if (!warning.is_string()) continue;
    lines += fmt::format("mpctl: warning: {}\n", plain_text(warning.get_string()));
  }
  return lines;
}

std::string missing_text(const json::object& answer) {
  std::string slots;
  for (const json::value& slot : member_array(answer, "missing")) {
    if (!slot.is_int64()) continue;
    slots += fmt::format("{}{}", slots.empty() ? "" : ", ", slot.get_int64());
  }
  std::string lines;
  if (!slots.empty()) lines += fmt::format("no answer from worker {}\n", slots);
  if (flag(answer, "truncated")) lines += "there are more than these\n";
  return lines;
}

}  // namespace mpb::ctl
