// UTF-8: what is, what is not, and what becomes of the latter.
#include "common/base/utf8.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

TEST(Utf8, WhatIsAndWhatIsNot) {
  for (const char* text :
       {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8e\xa5", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text : {"\xfc", "\xc3", "\xc3(", "\xc0\x80", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\x80", "a\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, BytesThatAreNoneAreReplaced) {
  EXPECT_EQ(valid_utf8("a\xfc\xc3\xa4\xe2\x82", "?"), "a?\xc3\xa4??");
  EXPECT_EQ(valid_utf8("", "?"), "");
}

TEST(Utf8, ANameThatIsNoneIsPercentEncoded) {
  EXPECT_EQ(as_utf8("\xc3\xa4%\n"), "\xc3\xa4%\n");
  EXPECT_EQ(as_utf8("a\xff"), "a%FF");
  EXPECT_EQ(as_utf8("\xc3\xa4\xff"), "%C3%A4%FF");
  EXPECT_EQ(as_utf8("\xe2\x82"), "%E2%82");
}

TEST(Utf8, APrefixCutsNoCharacter) {
  EXPECT_EQ(utf8_prefix("a\xc3\xa4z", 2), "a");
  EXPECT_EQ(utf8_prefix("a\xc3\xa4z", 3), "a\xc3\xa4");
  EXPECT_EQ(utf8_prefix("abc", 9), "abc");
  EXPECT_EQ(utf8_prefix("\x80\x80\x80", 2), "");
}

}  // namespace
}  // namespace mpb
