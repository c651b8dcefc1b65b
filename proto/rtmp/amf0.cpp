#include "proto/rtmp/amf0.hpp"

#include <algorithm>
#include <bit>

#include "proto/rtmp/amf3.hpp"
#include "proto/rtmp/big_endian.hpp"

namespace mpb::amf0 {
namespace {

using rtmp::append_be;

enum class Marker : std::uint8_t {
  kNumber = 0,
  kBoolean = 1,
  kString = 2,
  kObject = 3,
  kNull = 5,
  kUndefined = 6,
  kReference = 7,
  kEcmaArray = 8,
  kObjectEnd = 9,
  kStrictArray = 10,
  kDate = 11,
  kLongString = 12,
  kUnsupported = 13,
  kXmlDocument = 15,
  kTypedObject = 16,
  kAmf3 = 17,
};

constexpr std::size_t kMaxShortString = 0xffff;

class Reader {
 public:
  explicit Reader(std::string_view& rest) : rest_(rest) {}

  std::optional<Value> value(std::size_t depth) {
    if (values_ >= kMaxValues) return std::nullopt;
    ++values_;
    const auto marker = number(1);
    if (!marker) return std::nullopt;
    switch (static_cast<Marker>(*marker)) {
      case Marker::kNumber:
        return real();
      case Marker::kBoolean:
        if (const auto byte = number(1)) return Value(*byte != 0);
        return std::nullopt;
      case Marker::kString:
        return string(2);
      case Marker::kLongString:
      case Marker::kXmlDocument:
        return string(4);
      case Marker::kNull:
        return Value(Null{});
      case Marker::kUndefined:
      case Marker::kUnsupported:
        return Value(Undefined{});
      case Marker::kReference:
        // Followed, it could make a short message arbitrarily large.
        if (number(2)) return Value(Undefined{});
        return std::nullopt;
      case Marker::kDate:
        return date();
      case Marker::kAmf3:
        --values_;  // counted by the value itself
        return amf3::read(rest_, depth, values_);
      default:
        if (depth == kMaxDepth) return std::nullopt;
        return container(static_cast<Marker>(*marker), depth + 1);
    }
  }

 private:
  std::optional<Value> container(Marker marker, std::size_t depth) {
    Object object;
    switch (marker) {
      case Marker::kStrictArray:
        return strict_array(depth);
      case Marker::kObject:
        break;
      case Marker::kEcmaArray:
        object.array = true;
        if (!bytes(4)) return std::nullopt;  // the number of properties: a hint
        break;
      case Marker::kTypedObject:
        if (const auto name = text(2)) {
          object.class_name = *name;
          break;
        }
        return std::nullopt;
      default:
        return std::nullopt;
    }
    if (!properties(object, depth)) return std::nullopt;
    return Value(std::move(object));
  }

  bool properties(Object& object, std::size_t depth) {
    while (true) {
      const auto name = text(2);
      if (!name) return false;
      if (name->empty() && !rest_.empty() &&
          static_cast<Marker>(rest_.front()) == Marker::kObjectEnd) {
        rest_.remove_prefix(1);
        return true;
      }
      auto property = value(depth);
      if (!property) return false;
      object.properties.emplace_back(*name, std::move(*property));
    }
  }

  std::optional<Value> strict_array(std::size_t depth) {
    const auto count = number(4);
    if (!count || *count > kMaxValues - values_) return std::nullopt;
    StrictArray array;
    for (std::uint32_t i = 0; i < *count; ++i) {
      auto element = value(depth);
      if (!element) return std::nullopt;
      array.values.push_back(std::move(*element));
    }
    return Value(std::move(array));
  }

  std::optional<Value> real() {
    const auto high = number(4);
    const auto low = number(4);
    if (!high || !low) return std::nullopt;
    return Value(std::bit_cast<double>(std::uint64_t{*high} << 32 | *low));
  }

  std::optional<Value> date() {
    const auto time = real();
    if (!time || !bytes(2)) return std::nullopt;  // the time zone: reserved, to be 0
    return Value(Date{*time->number()});
  }

  std::optional<Value> string(std::size_t length_size) {
    const auto found = text(length_size);
    if (!found) return std::nullopt;
    return Value(std::string(*found));
  }

  std::optional<std::string_view> text(std::size_t length_size) {
    const auto length = number(length_size);
    return length ? bytes(*length) : std::nullopt;
  }

  std::optional<std::uint32_t> number(std::size_t size) {
    const auto field = bytes(size);
    if (!field) return std::nullopt;
    return rtmp::load_be(field->data(), size);
  }

  std::optional<std::string_view> bytes(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const std::string_view field = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return field;
  }

  std::string_view& rest_;
  std::size_t values_ = 0;
};

void write_marker(std::string& out, Marker marker) {
  out.push_back(static_cast<char>(marker));
}

void write_real(std::string& out, double number) {
  const auto bits = std::bit_cast<std::uint64_t>(number);
  append_be(out, static_cast<std::uint32_t>(bits >> 32), 4);
  append_be(out, static_cast<std::uint32_t>(bits), 4);
}

void write_name(std::string& out, std::string_view name) {
  name = name.substr(0, kMaxShortString);
  append_be(out, static_cast<std::uint32_t>(name.size()), 2);
  out.append(name);
}

struct Writer {
  std::string& out;

  void operator()(const Null&) const { write_null(out); }
  void operator()(const Undefined&) const { write_marker(out, Marker::kUndefined); }
  void operator()(double number) const { write_number(out, number); }
  void operator()(bool value) const {
    write_marker(out, Marker::kBoolean);
    out.push_back(value ? 1 : 0);
  }
  void operator()(const std::string& text) const { write_string(out, text); }
  void operator()(const Object& object) const {
    if (object.array) {
      write_marker(out, Marker::kEcmaArray);
      append_be(out, static_cast<std::uint32_t>(object.properties.size()), 4);
    } else if (!object.class_name.empty()) {
      write_marker(out, Marker::kTypedObject);
      write_name(out, object.class_name);
    } else {
      write_marker(out, Marker::kObject);
    }
    for (const auto& [name, value] : object.properties) {
      write_name(out, name);
      write(out, value);
    }
    write_name(out, {});
    write_marker(out, Marker::kObjectEnd);
  }
  void operator()(const StrictArray& array) const {
    write_marker(out, Marker::kStrictArray);
    append_be(out, static_cast<std::uint32_t>(array.values.size()), 4);
    for (const Value& value : array.values) write(out, value);
  }
  void operator()(const Date& date) const {
    write_marker(out, Marker::kDate);
    write_real(out, date.milliseconds);
    append_be(out, 0, 2);
  }
};

}  // namespace

const Value* find(const Object& object, std::string_view name) {
  const auto found = std::find_if(object.properties.begin(), object.properties.end(),
                                  [&](const auto& property) { return property.first == name; });
  return found == object.properties.end() ? nullptr : &found->second;
}

std::string_view text(const Object& object, std::string_view name) {
  const Value* value = find(object, name);
  const std::string* string = value != nullptr ? value->string() : nullptr;
  return string != nullptr ? std::string_view(*string) : std::string_view();
}

std::optional<Value> read(std::string_view& bytes) {
  return Reader(bytes).value(0);
}

void write(std::string& out, const Value& value) {
  using Base = std::variant<Null, Undefined, double, bool, std::string, Object, StrictArray, Date>;
  std::visit(Writer{out}, static_cast<const Base&>(value));
}

void write_string(std::string& out, std::string_view text) {
  const bool is_long = text.size() > kMaxShortString;
  write_marker(out, is_long ? Marker::kLongString : Marker::kString);
  append_be(out, static_cast<std::uint32_t>(text.size()), is_long ? 4 : 2);
  out.append(text);
}

void write_number(std::string& out, double number) {
  write_marker(out, Marker::kNumber);
  write_real(out, number);
}

void write_null(std::string& out) {
  write_marker(out, Marker::kNull);
}

}  // namespace mpb::amf0
