#include "proto/rtmp/amf3.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

namespace mpb::amf0 {
namespace {

using namespace std::string_literals;

/// What AMF3 bytes are in AMF0: as a value among those of AMF0, written. "error": they are none.
std::string in_amf0(const std::string& amf3) {
  const std::string bytes = "\x11" + amf3;
  std::string_view rest = bytes;
  const auto value = read(rest);
  if (!value || !rest.empty()) return "error";
  std::string written;
  write(written, *value);
  return written;
}

std::string written(const Value& value) {
  std::string bytes;
  write(bytes, value);
  return bytes;
}

TEST(Amf3, SimpleValuesAreWhatTheyAreInAmf0) {
  EXPECT_EQ(in_amf0("\0"s), written(Undefined{}));
  EXPECT_EQ(in_amf0("\1"s), written(Null{}));
  EXPECT_EQ(in_amf0("\2"s), written(false));
  EXPECT_EQ(in_amf0("\3"s), written(true));
  EXPECT_EQ(in_amf0("\4\x7f"s), written(127.0));
  EXPECT_EQ(in_amf0("\4\x81\0"s), written(128.0));
  EXPECT_EQ(in_amf0("\4\xbf\xff\xff\xff"s), written(268'435'455.0));
  EXPECT_EQ(in_amf0("\4\xc0\x80\x80\0"s), written(-268'435'456.0));
  EXPECT_EQ(in_amf0("\4\xff\xff\xff\xff"s), written(-1.0));
  EXPECT_EQ(in_amf0("\5\x3f\xf8\0\0\0\0\0\0"s), written(1.5));
  EXPECT_EQ(in_amf0("\6\5ab"s), written("ab"s));
  EXPECT_EQ(in_amf0("\6\1"s), written(""s));
  EXPECT_EQ(in_amf0("\7\5<>"s), written("<>"s));
  EXPECT_EQ(in_amf0("\x0b\5<>"s), written("<>"s));
  EXPECT_EQ(in_amf0("\x0c\5\0\1"s), written("\0\1"s));
  EXPECT_EQ(in_amf0("\x08\1\x3f\xf8\0\0\0\0\0\0"s), written(Date{1.5}));
}

TEST(Amf3, ObjectsHaveTheirTraitsMembersAndWhatElseTheyName) {
  // A dynamic object of no class.
  EXPECT_EQ(in_amf0("\x0a\x0b\1\5ab\4\1\3c\3\1"s),
            written(Object{{{"ab", 1.0}, {"c", true}}, false}));
  // One of class "C" with the member "m"; further ones of its traits.
  const std::string one = "\x0a\x13\3C\3m\4\1"s;
  EXPECT_EQ(in_amf0(one), written(Object{{{"m", 1.0}}, false, "C"}));
  const std::string two = "\x09\5\1" + one + "\x0a\1\4\2";
  EXPECT_EQ(
      in_amf0(two),
      written(StrictArray{{Object{{{"m", 1.0}}, false, "C"}, Object{{{"m", 2.0}}, false, "C"}}}));
}

TEST(Amf3, ArraysAndVectors) {
  EXPECT_EQ(in_amf0("\x09\5\1\4\1\4\2"s), written(StrictArray{{1.0, 2.0}}));
  EXPECT_EQ(in_amf0("\x09\3\3k\2\1\3"s), written(Object{{{"k", false}, {"0", true}}, true}));
  EXPECT_EQ(in_amf0("\x0d\5\0\0\0\0\1\xff\xff\xff\xff"s), written(StrictArray{{1.0, -1.0}}));
  EXPECT_EQ(in_amf0("\x0e\3\0\xff\xff\xff\xff"s), written(StrictArray{{4'294'967'295.0}}));
  EXPECT_EQ(in_amf0("\x0f\3\0\x3f\xf8\0\0\0\0\0\0"s), written(StrictArray{{1.5}}));
  EXPECT_EQ(in_amf0("\x10\3\0\1\6\3x"s), written(StrictArray{{"x"s}}));
}

TEST(Amf3, ReferencesToStringsAreFollowedThoseToObjectsAreNot) {
  EXPECT_EQ(in_amf0("\x09\7\1\6\5ab\6\0\6\0"s), written(StrictArray{{"ab"s, "ab"s, "ab"s}}));
  EXPECT_EQ(in_amf0("\x09\3\1\x09\0"s), written(StrictArray{{Undefined{}}}));
  EXPECT_EQ(in_amf0("\6\0"s), "error");
  EXPECT_EQ(in_amf0("\x0a\1"s), "error") << "traits that are not there";
}

TEST(Amf3, WhatReferencesMakeIsBounded) {
  // A string of 60,000 bytes and references to it.
  std::string text = "\6\x87\xa9\x41"s + std::string(60'000, 'x');
  std::string many = "\x09\x81\x3f\1"s + text;
  for (int i = 1; i < 95; ++i) many += "\6\0"s;
  EXPECT_EQ(in_amf0(many), "error");
  std::string few = "\x09\7\1"s + text + "\6\0\6\0"s;
  EXPECT_NE(in_amf0(few), "error");
}

TEST(Amf3, WhatIsCutShortOrUnknownIsAnError) {
  const std::string whole = "\x0a\x0b\1\5ab\x09\5\1\4\1\6\3x\3c\x08\1\x3f\xf8\0\0\0\0\0\0\1"s;
  ASSERT_NE(in_amf0(whole), "error");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(in_amf0(whole.substr(0, size)), "error") << size;
  }
  for (int marker = 17; marker < 256; ++marker) {
    EXPECT_EQ(in_amf0(static_cast<char>(marker) + std::string(16, '\1')), "error") << marker;
  }
  EXPECT_EQ(in_amf0("\x0a\7\3X\4\1"s), "error") << "externalizable";
}

TEST(Amf3, DepthAndNumberAreBounded) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "\x09\3\1"s;
  EXPECT_EQ(in_amf0(deep), "error");
  EXPECT_EQ(in_amf0("\x0d\xff\xff\xff\xff\0"s), "error");
  EXPECT_EQ(in_amf0("\x09\xff\xff\xff\xff\1"s), "error");
  std::string named = "\x09\1"s;
  for (int i = 0; i < 5'000; ++i) named += "\3k\1"s;
  EXPECT_EQ(in_amf0(named + "\1"), "error");
}

}  // namespace
}  // namespace mpb::amf0
