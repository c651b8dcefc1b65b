#include "proto/rtmp/amf3.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/rtmp/big_endian.hpp"

namespace mpb::amf3 {
namespace {

using amf0::Value;

enum class Marker : std::uint8_t {
  kUndefined = 0,
  kNull = 1,
  kFalse = 2,
  kTrue = 3,
  kInteger = 4,
  kDouble = 5,
  kString = 6,
  kXmlDocument = 7,
  kDate = 8,
  kArray = 9,
  kObject = 10,
  kXml = 11,
  kByteArray = 12,
  kIntVector = 13,
  kUintVector = 14,
  kDoubleVector = 15,
  kObjectVector = 16,
};

/// Bytes that references to strings and names may make of one value: a reference has one byte or
/// two, and what it means can be long.
constexpr std::size_t kMaxRepeated = 256UL * 1024;

/// The members of a class, as an object names them.
struct Traits {
  std::string class_name;
  std::vector<std::string> members;
  bool dynamic = false;  // further members follow by name
};

class Reader {
 public:
  Reader(std::string_view& rest, std::size_t& values) : rest_(rest), values_(values) {}

  std::optional<Value> value(std::size_t depth) {
    if (values_ == amf0::kMaxValues) return std::nullopt;
    ++values_;
    const auto marker = byte();
    if (!marker) return std::nullopt;
    switch (static_cast<Marker>(*marker)) {
      case Marker::kUndefined:
        return Value(amf0::Undefined{});
      case Marker::kNull:
        return Value(amf0::Null{});
      case Marker::kFalse:
        return Value(false);
      case Marker::kTrue:
        return Value(true);
      case Marker::kInteger:
        return integer();
      case Marker::kDouble:
        return real();
      case Marker::kString:
        if (auto text = string()) return Value(std::move(*text));
        return std::nullopt;
      default:
        return referable(static_cast<Marker>(*marker), depth);
    }
  }

 private:
  /// What another place can refer to; its number's lowest bit says whether that is so here.
  std::optional<Value> referable(Marker marker, std::size_t depth) {
    const auto head = number();
    if (!head) return std::nullopt;
    if ((*head & 1) == 0) return Value(amf0::Undefined{});
    const std::uint32_t size = *head >> 1;
    if (marker == Marker::kDate) {
      const auto time = real();
      return time ? std::optional(Value(amf0::Date{*time->number()})) : std::nullopt;
    }
    if (marker == Marker::kXmlDocument || marker == Marker::kXml || marker == Marker::kByteArray) {
      const auto text = bytes(size);
      return text ? std::optional(Value(std::string(*text))) : std::nullopt;
    }
    if (depth == amf0::kMaxDepth) return std::nullopt;
    switch (marker) {
      case Marker::kArray:
        return array(size, depth + 1);
      case Marker::kObject:
        return object(size, depth + 1);
      case Marker::kIntVector:
      case Marker::kUintVector:
      case Marker::kDoubleVector:
      case Marker::kObjectVector:
        return vector(marker, size, depth + 1);
      default:
        return std::nullopt;
    }
  }

  std::optional<Value> array(std::uint32_t size, std::size_t depth) {
    amf0::Object named;
    named.array = true;
    if (!properties(named, depth) || size > amf0::kMaxValues - values_) return std::nullopt;
    amf0::StrictArray plain;
    for (std::uint32_t i = 0; i < size; ++i) {
      auto element = value(depth);
      if (!element) return std::nullopt;
      if (named.properties.empty()) {
        plain.values.push_back(std::move(*element));
      } else {
        named.properties.emplace_back(std::to_string(i), std::move(*element));
      }
    }
    if (named.properties.empty()) return Value(std::move(plain));
    return Value(std::move(named));
  }

  std::optional<Value> object(std::uint32_t head, std::size_t depth) {
    const auto index = traits_of(head);
    if (!index) return std::nullopt;
    amf0::Object object;
    object.class_name = traits_[*index].class_name;
    const bool dynamic = traits_[*index].dynamic;
    const std::size_t count = traits_[*index].members.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!repeat(traits_[*index].members[i].size())) return std::nullopt;
      auto member = value(depth);
      if (!member) return std::nullopt;
      object.properties.emplace_back(traits_[*index].members[i], std::move(*member));
    }
    if (dynamic && !properties(object, depth)) return std::nullopt;
    return Value(std::move(object));
  }

  /// Which of traits_ an object has: `head` refers to them, or they follow.
  std::optional<std::size_t> traits_of(std::uint32_t head) {
    if ((head & 1) == 0) {
      const std::size_t index = head >> 1;
      return index < traits_.size() && repeat(traits_[index].class_name.size())
                 ? std::optional(index)
                 : std::nullopt;
    }
    const bool externalizable = (head & 2) != 0;
    Traits traits;
    traits.dynamic = (head & 4) != 0;
    auto class_name = string();
    if (externalizable || !class_name || class_name->size() > kMaxClassName) return std::nullopt;
    traits.class_name = std::move(*class_name);
    const std::uint32_t count = head >> 3;
    if (count > amf0::kMaxValues - values_) return std::nullopt;
    for (std::uint32_t i = 0; i < count; ++i) {
      auto member = string();
      if (!member) return std::nullopt;
      traits.members.push_back(std::move(*member));
    }
    if (traits_.size() == amf0::kMaxValues) return std::nullopt;
    traits_.push_back(std::move(traits));
    return traits_.size() - 1;
  }

  /// Names and values, up to the empty name.
  bool properties(amf0::Object& object, std::size_t depth) {
    while (true) {
      auto name = string();
      if (!name) return false;
      if (name->empty()) return true;
      auto property = value(depth);
      if (!property) return false;
      object.properties.emplace_back(std::move(*name), std::move(*property));
    }
  }

  std::optional<Value> vector(Marker marker, std::uint32_t size, std::size_t depth) {
    if (!byte() || size > amf0::kMaxValues - values_)
      return std::nullopt;  // of fixed length or not
    if (marker == Marker::kObjectVector && !string()) return std::nullopt;  // its class
    amf0::StrictArray array;
    for (std::uint32_t i = 0; i < size; ++i) {
      auto element = marker == Marker::kObjectVector ? value(depth) : element_of(marker);
      if (!element) return std::nullopt;
      array.values.push_back(std::move(*element));
    }
    return Value(std::move(array));
  }

  std::optional<Value> element_of(Marker marker) {
    ++values_;
    if (marker == Marker::kDoubleVector) return real();
    const auto field = bytes(4);
    if (!field) return std::nullopt;
    const std::uint32_t bits = rtmp::load_be(field->data(), 4);
    if (marker == Marker::kUintVector) return Value(static_cast<double>(bits));
    return Value(static_cast<double>(static_cast<std::int32_t>(bits)));
  }

  std::optional<Value> integer() {
    const auto found = number();
    if (!found) return std::nullopt;
    constexpr std::uint32_t kSign = 1U << 28;
    const double magnitude = *found;
    return Value((*found & kSign) != 0 ? magnitude - 2.0 * kSign : magnitude);
  }

  std::optional<Value> real() {
    const auto field = bytes(8);
    if (!field) return std::nullopt;
    const std::uint64_t high = rtmp::load_be(field->data(), 4);
    return Value(std::bit_cast<double>(high << 32 | rtmp::load_be(field->data() + 4, 4)));
  }

  std::optional<std::string> string() {
    const auto head = number();
    if (!head) return std::nullopt;
    if ((*head & 1) == 0) {
      const std::size_t index = *head >> 1;
      if (index >= strings_.size() || !repeat(strings_[index].size())) return std::nullopt;
      return std::string(strings_[index]);
    }
    const auto text = bytes(*head >> 1);
    if (!text) return std::nullopt;
    if (!text->empty()) strings_.push_back(*text);  // the empty one is never referred to
    return std::string(*text);
  }

  bool repeat(std::size_t bytes) {
    repeated_ += bytes;
    return repeated_ <= kMaxRepeated;
  }

  /// U29: seven bits in each of up to three bytes, all eight of a fourth.
  std::optional<std::uint32_t> number() {
    std::uint32_t number = 0;
    for (int i = 0; i < 4; ++i) {
      const auto next = byte();
      if (!next) return std::nullopt;
      if (i == 3) return number << 8 | *next;
      number = number << 7 | (*next & 0x7fU);
      if ((*next & 0x80U) == 0) break;
    }
    return number;
  }

  std::optional<std::uint32_t> byte() {
    const auto field = bytes(1);
    if (!field) return std::nullopt;
    return rtmp::load_be(field->data(), 1);
  }

  std::optional<std::string_view> bytes(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const std::string_view field = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return field;
  }

  static constexpr std::size_t kMaxClassName = 0xffff;  // of a typed object in AMF0

  std::string_view& rest_;
  std::size_t& values_;
  std::vector<std::string_view> strings_;
  std::vector<Traits> traits_;
  std::size_t repeated_ = 0;
};

}  // namespace

std::optional<amf0::Value> read(std::string_view& bytes, std::size_t depth, std::size_t& values) {
  return Reader(bytes, values).value(depth);
}

}  // namespace mpb::amf3
