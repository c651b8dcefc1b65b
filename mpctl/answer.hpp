// Reading the broker's answers: what is missing or of another type counts as 0 or nothing, so that
// mpctl goes with an older or newer broker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "common/base/error.hpp"

namespace mpb::ctl {

/// One line of the broker: a JSON object.
Result<boost::json::object> parse_object(std::string_view line);

/// An answer; one with "ok":false is an error with the broker's own words.
Status check_answer(const boost::json::object& answer);

std::uint64_t number(const boost::json::object& object, std::string_view member);
/// Of a counter's name: "handoffs.in" is the member `in` of the object `handoffs`. None: it is
/// missing.
std::optional<std::uint64_t> number_at(const boost::json::object& object, std::string_view name);
/// A member as text.
std::string count_text(const boost::json::object& object, std::string_view member);
bool flag(const boost::json::object& object, std::string_view member);
/// Safe for a terminal; "-" when there is none.
std::string text(const boost::json::object& object, std::string_view member);
const boost::json::object& member_object(const boost::json::object& object,
                                         std::string_view member);
const boost::json::array& member_array(const boost::json::object& object, std::string_view member);
/// Calls `action` for those elements that are objects.
template <class F>
void for_each_object(const boost::json::array& array, F&& action) {
  for (const boost::json::value& element : array) {
    if (element.is_object()) action(element.get_object());
  }
}
/// What an answer that workers gave lacks: workers that did not answer, entries beyond the limit. A
/// line each; empty when it is whole.
std::string missing_text(const boost::json::object& answer);
/// What the broker warns of, a line each.
std::string warnings_text(const boost::json::object& answer);
/// Of all numbers in an object, such as the reasons of refusals.
std::uint64_t sum(const boost::json::object& object);

}  // namespace mpb::ctl
