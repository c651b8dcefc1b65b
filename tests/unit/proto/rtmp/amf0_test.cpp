#include "proto/rtmp/amf0.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace mpb::amf0 {
namespace {

using namespace std::string_literals;

std::string written(const Value& value) {
  std::string out;
  write(out, value);
  return out;
}

/// The one value that `bytes` consist of, written again; "error" when they are none.
std::string reread(std::string_view bytes) {
  const auto value = read(bytes);
  return value && bytes.empty() ? written(*value) : "error";
}

TEST(Amf0, SimpleValuesAreReadAndWritten) {
  const std::string all =
      "\0\x40\x08\0\0\0\0\0\0\x01\x01\x02\0\x03"
      "abc\x05\x06"s;
  std::string_view bytes = all;
  const auto number = read(bytes);
  ASSERT_TRUE(number && number->number() != nullptr);
  EXPECT_EQ(*number->number(), 3.0);
  const auto boolean = read(bytes);
  ASSERT_TRUE(boolean && boolean->boolean() != nullptr);
  EXPECT_TRUE(*boolean->boolean());
  const auto string = read(bytes);
  ASSERT_TRUE(string && string->string() != nullptr);
  EXPECT_EQ(*string->string(), "abc");
  const auto null = read(bytes);
  EXPECT_TRUE(null && std::holds_alternative<Null>(*null));
  const auto undefined = read(bytes);
  EXPECT_TRUE(undefined && std::holds_alternative<Undefined>(*undefined));
  EXPECT_TRUE(bytes.empty());
  EXPECT_FALSE(read(bytes)) << "nothing is no value";
  EXPECT_EQ(written(*number) + written(*boolean) + written(*string) + written(*null) +
                written(*undefined),
            all);
}

TEST(Amf0, AnObjectKeepsTheOrderOfItsProperties) {
  const std::string bytes =
      "\x03\0\x01z\x01\0\0\x01"s
      "a\x02\0\x01x\0\0\x09"s;
  std::string_view rest = bytes;
  const auto value = read(rest);
  ASSERT_TRUE(value && value->object() != nullptr);
  const Object& object = *value->object();
  ASSERT_EQ(object.properties.size(), 2U);
  EXPECT_EQ(object.properties[0].first, "z");
  EXPECT_EQ(text(object, "a"), "x");
  EXPECT_EQ(text(object, "z"), "") << "not a string";
  EXPECT_EQ(find(object, "y"), nullptr);
  EXPECT_EQ(written(*value), bytes);
}

TEST(Amf0, ArraysDatesAndTypedObjectsKeepTheirForm) {
  const std::string ecma = "\x08\0\0\0\x01\0\x01k\x05\0\0\x09"s;
  const std::string strict = "\x0a\0\0\0\x02\x05\x0a\0\0\0\0"s;
  const std::string date = "\x0b\x40\x08\0\0\0\0\0\0\0\0"s;
  const std::string typed = "\x10\0\x01T\0\0\x09"s;
  for (const std::string& bytes : {ecma, strict, date, typed}) EXPECT_EQ(reread(bytes), bytes);
}

TEST(Amf0, TheCountOfAnEcmaArrayIsAHintOnly) {
  EXPECT_EQ(reread("\x08\xff\xff\xff\xff\0\x01k\x05\0\0\x09"s),
            "\x08\0\0\0\x01\0\x01k\x05\0\0\x09"s);
}

TEST(Amf0, APropertyMayHaveAnEmptyName) {
  const std::string bytes = "\x03\0\0\x05\0\0\x09"s;
  EXPECT_EQ(reread(bytes), bytes);
}

TEST(Amf0, LongStringsAndXmlAreStrings) {
  EXPECT_EQ(reread("\x0c\0\0\0\x02hi"s), "\x02\0\x02hi"s);
  EXPECT_EQ(reread("\x0f\0\0\0\x02hi"s), "\x02\0\x02hi"s);
  for (const std::size_t size : {65535U, 65536U}) {
    const std::string text(size, 'x');
    const std::string bytes = written(Value(text));
    EXPECT_EQ(bytes.substr(0, bytes.size() - size),
              size == 65535 ? "\x02\xff\xff"s : "\x0c\0\x01\0\0"s);
    EXPECT_EQ(bytes.substr(bytes.size() - size), text);
    EXPECT_EQ(reread(bytes), bytes);
  }
}

TEST(Amf0, NumbersKeepEveryBit) {
  for (const double number :
       {0.0, -0.0, 1e300, std::numeric_limits<double>::denorm_min(),
        std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(reread(written(Value(number))), written(Value(number))) << number;
  }
}

TEST(Amf0, UnknownMarkersAreErrors) {
  for (int marker = 0; marker < 256; ++marker) {
    const bool known = marker <= 17 && marker != 4 && marker != 9 && marker != 14;
    const std::string bytes = static_cast<char>(marker) + std::string(32, '\0') + '\x09';
    std::string_view rest = bytes;
    EXPECT_EQ(read(rest).has_value(), known && marker != 3 && marker != 8 && marker != 16)
        << marker;
  }
}

TEST(Amf0, ReferencesAndUnsupportedValuesAreUndefined) {
  const std::string bytes = "\x03\0\1a\x07\0\0\0\1b\x0d\0\1c\x05\0\0\x09"s;
  std::string_view rest = bytes;
  const auto value = read(rest);
  ASSERT_TRUE(value && rest.empty());
  const Object& object = *value->object();
  ASSERT_EQ(object.properties.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Undefined>(*find(object, "a")));
  EXPECT_TRUE(std::holds_alternative<Undefined>(*find(object, "b")));
  EXPECT_TRUE(std::holds_alternative<Null>(*find(object, "c")));
}

TEST(Amf0, WhatIsCutShortIsAnError) {
  const Object inner{{{"t", Date{1}}, {"u", Undefined{}}}, false, "Class"};
  const Object object{{{"n", 1.0},
                       {"b", true},
                       {"s", std::string("text")},
                       {"o", inner},
                       {"l", StrictArray{{Null{}, std::string(70000, 'x')}}}},
                      true};
  const std::string bytes = written(Value(object));
  EXPECT_EQ(reread(bytes), bytes);
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 997) {
    std::string_view rest = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(read(rest)) << size << " bytes";
  }
}

TEST(Amf0, DepthIsBounded) {
  Value value = Null{};
  for (std::size_t depth = 0; depth < kMaxDepth; ++depth) {
    StrictArray array;
    array.values.push_back(std::move(value));
    value = std::move(array);
  }
  EXPECT_EQ(reread(written(value)), written(value));
  Object around;
  around.properties.emplace_back("deeper", std::move(value));
  EXPECT_EQ(reread(written(Value(around))), "error");
  std::string hostile;
  for (int i = 0; i < 100'000; ++i) hostile += "\x03\0\x01x"s;
  EXPECT_EQ(reread(hostile), "error");
}

TEST(Amf0, TheNumberOfValuesIsBounded) {
  StrictArray array;
  array.values.resize(kMaxValues - 1);
  EXPECT_EQ(reread(written(Value(array))), written(Value(array)));
  array.values.resize(kMaxValues);
  EXPECT_EQ(reread(written(Value(array))), "error");
  Object object;
  for (std::size_t i = 0; i < kMaxValues; ++i) object.properties.emplace_back("", Null{});
  EXPECT_EQ(reread(written(Value(object))), "error");
  EXPECT_EQ(reread("\x0a\xff\xff\xff\xff"s), "error");
}

TEST(Amf0, NothingIsTakenForOfAShortLength) {
  EXPECT_EQ(reread("\x0c\xff\xff\xff\xff"s), "error");
  EXPECT_EQ(reread("\x02\0\x05hi"s), "error");
}

TEST(Amf0, TheShortWritersWriteWhatValuesWrite) {
  std::string out;
  write_string(out, "connect");
  write_number(out, 1);
  write_null(out);
  EXPECT_EQ(out,
            written(Value(std::string("connect"))) + written(Value(1.0)) + written(Value(Null{})));
}

}  // namespace
}  // namespace mpb::amf0
