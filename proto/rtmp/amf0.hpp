// AMF0 values: what RTMP's commands and metadata are made of.
// Source: Adobe's "Action Message Format -- AMF 0".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mpb::amf0 {

inline constexpr std::size_t kMaxDepth = 16;
inline constexpr std::size_t kMaxValues = 4096;  // in one value, nested ones included

struct Null {};
struct Undefined {};
struct Value;
/// Properties in their order. `array`: written as an ECMA array.
struct Object {
  std::vector<std::pair<std::string, Value>> properties;
  bool array = false;
  std::string class_name{};  // of a typed object; else empty
};
struct StrictArray {
  std::vector<Value> values;
};
struct Date {
  double milliseconds = 0;
};

/// Long strings and XML are strings; references and unsupported values are Undefined. A value of
/// AMF3 among those of AMF0 is what it would be in AMF0 (proto/rtmp/amf3.hpp).
struct Value : std::variant<Null, Undefined, double, bool, std::string, Object, StrictArray, Date> {
  using variant::variant;
  [[nodiscard]] const double* number() const { return std::get_if<double>(this); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(this); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(this); }
  [[nodiscard]] const Object* object() const { return std::get_if<Object>(this); }
};

/// Null when there is no property of that name.
const Value* find(const Object& object, std::string_view name);
/// The text of a string property, else empty.
std::string_view text(const Object& object, std::string_view name);

/// Takes one value off the front of `bytes`. Nothing: cut short, too deep, too many values, or not
/// AMF0; `bytes` is then unspecified.
std::optional<Value> read(std::string_view& bytes);

void write(std::string& out, const Value& value);
/// A name or string without building a Value.
void write_string(std::string& out, std::string_view text);
void write_number(std::string& out, double number);
void write_null(std::string& out);

}  // namespace mpb::amf0
