// What may be shown as it is, and what stands for the rest.
#include "common/base/plain_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/config/option_values.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

std::string utf8(std::uint32_t code) {
  std::string bytes;
  const auto more = [&bytes](std::uint32_t six) {
    bytes += static_cast<char>(0x80 | (six & 0x3fU));
  };
  if (code < 0x80) {
    bytes += static_cast<char>(code);
  } else if (code < 0x800) {
    bytes += static_cast<char>(0xc0 | code >> 6);
    more(code);
  } else if (code < 0x10000) {
    bytes += static_cast<char>(0xe0 | code >> 12);
    more(code >> 6);
    more(code);
  } else {
    bytes += static_cast<char>(0xf0 | code >> 18);
    more(code >> 12);
    more(code >> 6);
    more(code);
  }
  return bytes;
}

TEST(PlainText, LeavesWhatPeopleWrite) {
  for (const std::string_view text : {"", "live/a.test 42", "Grüße 直播", "بث مباشر", "שידור",
                                      "\\x1b", "\xf0\x9f\x98\x80", "é"}) {
    EXPECT_EQ(plain_text(text), text);
    EXPECT_TRUE(is_plain(text)) << text;
  }
}

TEST(PlainText, EscapesWhateverControlsTurnsOrHides) {
  const std::pair<std::uint32_t, std::uint32_t> ranges[] = {
      {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},   {0x180e, 0x180e},
      {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
      {0xfff9, 0xfffb}, {0x3164, 0x3164}, {0xe0001, 0xe007f}};
  for (const auto& [first, last] : ranges) {
    for (std::uint32_t code = first; code <= last; ++code) {
      const std::string text = "a" + utf8(code) + "b";
      const std::string shown = plain_text(text);
      EXPECT_FALSE(is_plain(text)) << code;
      EXPECT_TRUE(shown.starts_with("a\\") && shown.ends_with("b")) << code << shown;
      EXPECT_TRUE(is_plain(shown)) << code;
    }
  }
  for (const std::uint32_t code : {0x20U, 0x7eU, 0xa0U, 0xacU, 0xaeU, 0x61bU, 0x200aU, 0x2010U,
                                   0x2027U, 0x202fU, 0x2070U, 0xfffcU, 0x10ffffU}) {
    EXPECT_TRUE(is_plain(utf8(code))) << code;
  }
  EXPECT_EQ(plain_text("\u009b31m\u202etxt\x7f\n"), "\\u{009b}31m\\u{202e}txt\\x7f\\x0a");
}

TEST(PlainText, EscapesEachByteThatIsNoUtf8) {
  EXPECT_EQ(plain_text("\x9b"
                       "2J\xff"),
            "\\x9b2J\\xff");
  EXPECT_EQ(plain_text("\xc2"), "\\xc2");
  EXPECT_EQ(plain_text("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(plain_text("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
}

TEST(PlainText, NoPairOfBytesComesThroughAsAControl) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string shown =
          plain_text(std::string{static_cast<char>(first), static_cast<char>(second)});
      ASSERT_TRUE(is_plain(shown)) << first << " " << second;
    }
  }
}

TEST(PlainText, LinesKeepTheirEnds) {
  EXPECT_EQ(plain_lines("READY=1\nSTATUS=a\r\u2028b\u009b"),
            "READY=1\nSTATUS=a\\x0d\\u{2028}b\\u{009b}");
}

TEST(PlainText, JsonStaysEquivalent) {
  EXPECT_EQ(plain_json("{\"a\":\t\"x\u009b\u202e\x7f\"}"), "{\"a\": \"x\\u009b\\u202e\\u007f\"}");
  EXPECT_EQ(plain_json("\"\xf3\xa0\x81\x81\""), "\"\\udb40\\udc41\"") << "a surrogate pair";
  EXPECT_EQ(plain_json("\"\x9b\""), "\"\\ufffd\"");
}

TEST(PlainText, IsWhatTheLogAndMessagesAboutOptionsShow) {
  std::string line;
  append_logfmt(line, "stream", "x\u009b31m\u202etxt\x9b\u2028");
  EXPECT_EQ(line, R"(stream="x\u{009b}31m\u{202e}txt\x9b\u{2028}")");
  EXPECT_EQ(printable("a\u202e\x9b\x1b"), "a\\u{202e}\\x9b\\x1b");
}

}  // namespace
}  // namespace mpb
