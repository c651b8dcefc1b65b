// AMF0: what is read is bounded, needs all bytes that were taken for it, and is the same after it
// was written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/rtmp/amf0.hpp"
#include "tests/fuzz/check.hpp"

using namespace mpb::amf0;

namespace {

/// How many values there are in it, itself included.
std::size_t count(const Value& value, std::size_t depth) {
  MPB_FUZZ_REQUIRE(depth <= kMaxDepth);
  std::size_t found = 1;
  if (const Object* object = value.object()) {
    for (const auto& property : object->properties) {
      found += count(property.second, depth + 1);
      MPB_FUZZ_REQUIRE(find(*object, property.first) != nullptr);
    }
  } else if (const auto* array = std::get_if<StrictArray>(&value)) {
    for (const Value& element : array->values) found += count(element, depth + 1);
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::string_view before = rest;
    const auto value = read(rest);
    if (!value) return 0;
    const std::size_t taken = before.size() - rest.size();
    MPB_FUZZ_REQUIRE(taken > 0 && rest.data() == before.data() + taken);
    const std::size_t values = count(*value, 0);
    MPB_FUZZ_REQUIRE(values <= kMaxValues);
    std::string_view shorter = before.substr(0, taken - 1);
    MPB_FUZZ_REQUIRE(!read(shorter));
    std::string once;
    write(once, *value);
    std::string_view written = once;
    const auto again = read(written);
    MPB_FUZZ_REQUIRE(again && written.empty());
    std::string twice;
    write(twice, *again);
    MPB_FUZZ_REQUIRE(once == twice);
  }
  return 0;
}
