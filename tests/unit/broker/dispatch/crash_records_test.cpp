#include "broker/dispatch/crash_records.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

constexpr Duration kShort{500};
constexpr Duration kLong{60'000};  // above the settled time

class CrashRecordsTest : public testing::Test {
 protected:
  BackOff crash(Duration ran) {
    return records.note("key", {true, false, ran}, TimePoint{}, random);
  }

  CrashRecords records;
  std::mt19937_64 random{1};
};

TEST_F(CrashRecordsTest, AKeyIsClosedByShortLivesInARow) {
  records.set_close_rules({2, Duration{300'000}});
  EXPECT_FALSE(crash(kShort).closed);
  const BackOff second = crash(kShort);
  EXPECT_TRUE(second.closed);
  EXPECT_EQ(second.failures, 2U);
  EXPECT_EQ(second.left, Duration{300'000});
  EXPECT_FALSE(crash(kShort).closed) << "afterwards the count begins anew";
}

TEST_F(CrashRecordsTest, ACrashAfterALongLifeIsNone) {
  records.set_close_rules({1, Duration{300'000}});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(crash(kLong).closed);
  EXPECT_TRUE(crash(kShort).closed);
  records.set_close_rules({2, Duration{300'000}});
  EXPECT_FALSE(crash(kShort).closed);
  EXPECT_FALSE(crash(kLong).closed) << "the row is broken";
  EXPECT_FALSE(crash(kShort).closed);
  EXPECT_TRUE(crash(kShort).closed);
}

TEST_F(CrashRecordsTest, WithoutARuleNoneIsClosed) {
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(crash(kShort).closed);
}

}  // namespace
}  // namespace mpb
