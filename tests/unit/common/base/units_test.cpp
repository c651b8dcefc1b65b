#include "common/base/units.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mpb {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsEveryUnit) {
  const std::pair<const char*, std::int64_t> values[] = {
      {"0", 0},
      {"0s", 0},
      {"1ms", 1},
      {"200ms", 200},
      {"5s", 5'000},
      {"1m", 60'000},
      {"2h", 7'200'000},
      {"1d", 86'400'000},
      {"007s", 7'000},
      {"90s", 90'000},
      {"3650d", 315'360'000'000},
  };
  for (const auto& [text, ms] : values) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(duration->count(), ms) << text;
  }
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "5",
                           "00",
                           "s",
                           "ms",
                           "-1s",
                           "+1s",
                           "1.5s",
                           "5 s",
                           " 5s",
                           "5s ",
                           "5S",
                           "5sec",
                           "5us",
                           "1h30m",
                           "3651d",
                           "99999999999999999999s",
                           "0x5s",
                           "1e3ms",
                           "18446744073709551615d"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().kind, ErrorKind::kUsage);
    EXPECT_NE(duration.error().text.find(text), std::string::npos);
  }
}

TEST(Duration, IsWrittenAsItIsRead) {
  const std::pair<std::int64_t, const char*> values[] = {
      {0, "0"},        {1, "1ms"},        {1'500, "1500ms"},   {90'000, "90s"},
      {120'000, "2m"}, {3'600'000, "1h"}, {90'000'000, "25h"}, {172'800'000, "2d"},
  };
  for (const auto& [ms, text] : values) {
    EXPECT_EQ(format_duration(milliseconds(ms)), text);
    EXPECT_EQ(parse_duration(text).value(), milliseconds(ms));
  }
}

TEST(Size, ReadsEveryUnit) {
  const std::pair<const char*, std::uint64_t> values[] = {
      {"0", 0},
      {"512", 512},
      {"512B", 512},
      {"16KiB", 16'384},
      {"4MiB", 4'194'304},
      {"2GiB", 2'147'483'648},
      {"4611686018427387904", 1ULL << 62},
  };
  for (const auto& [text, bytes] : values) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(Size, RefusesWhatIsNone) {
  for (const char* text : {"", "KiB", "16KB", "16k", "16 KiB", "-1", "1.5MiB",
                           "4611686018427387905", "4294967297GiB", "99999999999999999999"}) {
    ASSERT_FALSE(parse_size(text)) << text;
  }
}

TEST(Integer, KeepsItsBounds) {
  EXPECT_EQ(parse_integer("3", 3, 5).value(), 3);
  EXPECT_EQ(parse_integer("5", 3, 5).value(), 5);
  EXPECT_EQ(parse_integer("-7", -8, 5).value(), -7);
  for (const char* text : {"2", "6", "", " 4", "4 ", "4x", "+4", "0x4", "9223372036854775808"}) {
    ASSERT_FALSE(parse_integer(text, 3, 5)) << text;
  }
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(parse_integer("9223372036854775807", 0, kMax).value(), kMax);
}

TEST(Bitrate, ReadsEveryUnit) {
  EXPECT_EQ(parse_bitrate("1bit").value(), 1U);
  EXPECT_EQ(parse_bitrate("800kbit").value(), 800'000U);
  EXPECT_EQ(parse_bitrate("6Mbit").value(), 6'000'000U);
  EXPECT_EQ(parse_bitrate("1000Gbit").value(), 1'000'000'000'000U);
  EXPECT_EQ(parse_bitrate("0").value(), 0U);
}

TEST(Bitrate, RefusesWhatCannotBeMeant) {
  for (const char* text : {"", "1", "kbit", "1.5Mbit", "-1kbit", "1 Mbit", "1mbit", "1Mbit/s",
                           "1001Gbit", "99999999999999999999bit"}) {
    EXPECT_FALSE(parse_bitrate(text)) << text;
  }
}

TEST(Bitrate, FormatIsReadBack) {
  for (const char* text : {"0", "7bit", "1001bit", "800kbit", "6Mbit", "1Gbit"}) {
    EXPECT_EQ(format_bitrate(parse_bitrate(text).value()), text);
  }
}

}  // namespace
}  // namespace mpb
