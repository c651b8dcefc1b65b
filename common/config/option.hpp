// An option is one entry in the table of its program: name, default, help, kind of value and where
// the value goes. Reading a command line, error texts and --help come from the table
// (common/config/option_line.hpp).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/base/choice.hpp"
#include "common/base/error.hpp"
#include "common/base/units.hpp"
#include "common/config/value_readers.hpp"

namespace mpb {

struct OptionText {
  std::string_view name;           // on a command line with -- before it
  std::string_view group;          // heading in --help; options of one group stand together
  std::string_view placeholder;    // of its value; empty: a switch
  std::string_view default_value;  // as it would be written; empty: unset
  std::string_view unset_meaning;  // what holds when it is unset
  std::string_view help;           // a sentence or more, without the last full stop
};

// A kind of value has `read`, whose error says what is expected and nothing else; and, where
// values are shown, its inverse `write`.

template <auto Read, auto Write = nullptr>
struct Value {
  static auto read(std::string_view text) { return Read(text); }
  template <class T>
  static std::string write(const T& value) {
    return Write(value);
  }
};

/// A text as `Read` takes it.
template <auto Read>
struct Text {
  static auto read(std::string_view text) { return Read(text); }
  static std::string write(const std::string& value) { return value; }
};

template <std::int64_t Low, std::int64_t High>
struct Whole {
  static Result<std::int64_t> read(std::string_view text) { return read_integer(text, Low, High); }
  static std::string write(std::int64_t value) { return fmt::to_string(value); }
};

/// One of the words of `Choices`, an array of Choice; no word for a value that is none of them.
template <auto& Choices>
struct Word {
  static auto read(std::string_view text) { return choose(text, Choices); }
  template <class T>
  static std::string write(const T& value) {
    return word_for(value, Choices);
  }
};
using YesNo = Word<kYesNo>;

enum class Zero : bool { kRefused, kAllowed };

template <Zero zero>
struct TimeOf {
  static Result<Duration> read(std::string_view text) {
    return read_duration(text, zero == Zero::kAllowed);
  }
  static std::string write(Duration value) { return format_duration(value); }
};
using Time = TimeOf<Zero::kAllowed>;
using TimeAbove0 = TimeOf<Zero::kRefused>;

struct Size {
  static Result<std::uint64_t> read(std::string_view text) { return read_size(text); }
};

/// Given without a value.
struct Switch {
  static Result<bool> read(std::string_view) { return true; }
};

template <class T>
struct MemberOf;
template <class Of, class T>
struct MemberOf<T Of::*> {
  using Owner = Of;
};
template <auto Member, auto...>
struct FirstOf {
  using Owner = typename MemberOf<decltype(Member)>::Owner;
};
/// Whose member the first of a path is.
template <auto... Path>
using OwnerOf = typename FirstOf<Path...>::Owner;

template <class T>
struct Held {
  using Type = T;
};
template <class T>
struct Held<std::optional<T>> {
  using Type = T;
};

/// The member of a member ... of `owner` that a path of members leads to.
template <auto Member, auto... Path, class Owner>
auto& place_in(Owner& owner) {
  if constexpr (sizeof...(Path) == 0) {
    return owner.*Member;
  } else {
    return place_in<Path...>(owner.*Member);
  }
}

/// Reads `text` to the place that `Path` leads to.
template <class Kind, auto... Path>
Status store(OwnerOf<Path...>& owner, std::string_view text) {
  auto value = Kind::read(text);
  if (!value) return value.error();
  auto& place = place_in<Path...>(owner);
  using Read = std::remove_cvref_t<decltype(*value)>;
  if constexpr (std::is_arithmetic_v<Read>) {
    place = static_cast<typename Held<std::remove_cvref_t<decltype(place)>>::Type>(*value);
  } else {
    place = *std::move(value);
  }
  return {};
}

}  // namespace mpb
