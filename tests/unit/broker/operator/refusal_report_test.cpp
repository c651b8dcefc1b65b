#include "broker/operator/refusal_report.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using namespace std::chrono_literals;

TEST(RefusalReport, TellsTheFirstAtOnceAndTheOthersOncePerInterval) {
  RefusalReport report;
  const TimePoint start = Clock::now();
  EXPECT_EQ(report.due(0, start), 0U) << "nobody was refused";
  EXPECT_EQ(report.due(1, start), 1U);
  EXPECT_EQ(report.due(5, start + 10ms), 0U);
  EXPECT_EQ(report.due(9, start + 999ms), 0U);
  EXPECT_EQ(report.due(9, start + 1s), 8U) << "also when no more are refused meanwhile";
  EXPECT_EQ(report.due(9, start + 5s), 0U);
  EXPECT_EQ(report.due(10, start + 6s), 1U) << "after a while without, at once again";
}

}  // namespace
}  // namespace mpb
