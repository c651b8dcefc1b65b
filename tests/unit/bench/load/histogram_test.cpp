#include "bench/load/histogram.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace mpb::load {
namespace {

TEST(MpclientHistogram, IsZeroWhenEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(MpclientHistogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(i);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.9), 90U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(1.0), 100U);
  EXPECT_EQ(histogram.quantile(0.0), 1U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(MpclientHistogram, IsNeverMoreThanOnePercentOff) {
  for (std::int64_t value = 1; value < (std::int64_t{1} << 39); value = value * 5 / 4 + 1) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(std::int64_t{1} << 39);  // so that max does not correct the quantile
    const auto got = static_cast<double>(histogram.quantile(0.5));
    EXPECT_GE(got, static_cast<double>(value));
    EXPECT_LE(got, static_cast<double>(value) * 1.008) << value;
  }
}

TEST(MpclientHistogram, NeverReportsMoreThanTheMaximum) {
  Histogram histogram;
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.quantile(0.5), 1'000'001U);
  EXPECT_EQ(histogram.max(), 1'000'001U);
}

TEST(MpclientHistogram, TakesValuesOutOfRange) {
  Histogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.quantile(1.0), 0U);
  histogram.record(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.max(), static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(histogram.quantile(1.0), (std::uint64_t{1} << 40) - 1);
}

TEST(MpclientHistogram, MergesAsIfRecordedInOne) {
  Histogram odd;
  Histogram even;
  Histogram all;
  for (int i = 1; i <= 10'000; ++i) {
    (i % 2 == 0 ? even : odd).record(i * 37);
    all.record(i * 37);
  }
  odd.merge(even);
  EXPECT_EQ(odd.count(), all.count());
  EXPECT_EQ(odd.max(), all.max());
  EXPECT_DOUBLE_EQ(odd.mean(), all.mean());
  for (const double fraction : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    EXPECT_EQ(odd.quantile(fraction), all.quantile(fraction));
  }
}

}  // namespace
}  // namespace mpb::load
