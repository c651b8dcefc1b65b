// AMF0: what is written is read as it was, and nothing else comes of cutting it.
#include <string>

#include "proto/rtmp/amf0.hpp"
#include "tests/support/seeded.hpp"

namespace mpb::amf0 {
namespace {

class Amf0Property : public test::SeededTest {
 protected:
  Value some_value(std::size_t depth) {
    switch (number(0, depth < kMaxDepth ? 9 : 5)) {
      case 0:
        return Null{};
      case 1:
        return Undefined{};
      case 2:
        return static_cast<double>(static_cast<std::int64_t>(bits())) / 1024;
      case 3:
        return one_in(2);
      case 4:
        return some_bytes(one_in(20) ? 70'000 : 20);
      case 5:
        return Date{static_cast<double>(bits())};
      case 6: {
        StrictArray array;
        for (int left = number(0, 3); left > 0; --left) {
          array.values.push_back(some_value(depth + 1));
        }
        return array;
      }
      default: {
        Object object;
        for (int left = number(0, 3); left > 0; --left) {
          object.properties.emplace_back(some_bytes(9), some_value(depth + 1));
        }
        object.array = one_in(3);
        if (!object.array && one_in(3)) object.class_name = "C" + some_bytes(9);
        return object;
      }
    }
  }
};

TEST_F(Amf0Property, WhatIsWrittenIsRead) {
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    write(bytes, some_value(0));
    const std::string behind = some_bytes(5);
    const std::string with_more = bytes + behind;
    std::string_view rest = with_more;
    const auto value = read(rest);
    ASSERT_TRUE(value);
    ASSERT_EQ(rest, behind);
    std::string again;
    write(again, *value);
    ASSERT_EQ(again, bytes);
    rest = std::string_view(bytes).substr(0, number(std::size_t{0}, bytes.size() - 1));
    ASSERT_FALSE(read(rest)) << "cut short";
  }
}

TEST_F(Amf0Property, WhatIsReadOfArbitraryBytesIsReadTheSameAgain) {
  constexpr std::string_view kLikely("\0\x01\x02\x03\x05\x08\x09\x0a\x0b\x10", 10);
  int values = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = some_bytes(60);
    for (char& c : bytes) {
      if (!one_in(8)) c = kLikely[number(std::size_t{0}, kLikely.size() - 1)];
    }
    std::string_view rest = bytes;
    const auto value = read(rest);
    if (!value) continue;
    ++values;
    ASSERT_LE(rest.size(), bytes.size());
    std::string once;
    write(once, *value);
    rest = once;
    const auto again = read(rest);
    ASSERT_TRUE(again && rest.empty());
    std::string twice;
    write(twice, *again);
    ASSERT_EQ(twice, once);
  }
  EXPECT_GT(values, 0);
}

}  // namespace
}  // namespace mpb::amf0
