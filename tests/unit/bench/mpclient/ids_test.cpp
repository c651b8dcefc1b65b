#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "bench/mpclient/id_source.hpp"

namespace mpb::load {
namespace {

IdSource source(std::string_view text, std::uint64_t seed = 1) {
  return IdSource::parse(text, seed).value();
}

std::vector<int> counts_of(const IdSource& ids, int kinds, int draws) {
  std::vector<int> counts(static_cast<std::size_t>(kinds));
  for (int i = 0; i < draws; ++i) {
    ++counts.at(static_cast<std::size_t>(ids.id(static_cast<std::uint64_t>(i))));
  }
  return counts;
}

TEST(MpclientIds, UniformCoversItsRangeEvenly) {
  const auto counts = counts_of(source("uniform:10"), 10, 100'000);
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
}

// P(k) is proportional to 1/k^s; the counts must agree within five standard deviations.
void expect_zipf(std::string_view text, double exponent) {
  constexpr int kKinds = 50;
  constexpr int kDraws = 200'000;
  double norm = 0;
  for (int k = 1; k <= kKinds; ++k) norm += std::pow(k, -exponent);
  const auto counts = counts_of(source(text), kKinds, kDraws);
  for (int k = 1; k <= kKinds; ++k) {
    const double expected = kDraws * std::pow(k, -exponent) / norm;
    EXPECT_NEAR(counts[static_cast<std::size_t>(k - 1)], expected, 5 * std::sqrt(expected) + 5)
        << text << " rank " << k;
  }
}

TEST(MpclientIds, ZipfFollowsItsLaw) {
  expect_zipf("zipf:50", 1.0);
  expect_zipf("zipf:50,0.5", 0.5);
  expect_zipf("zipf:50,1.2", 1.2);
  expect_zipf("zipf:50,2", 2.0);
}

TEST(MpclientIds, ZipfOfOneIsThatOne) {
  const IdSource ids = source("zipf:1");
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(ids.id(i), 0);
}

TEST(MpclientIds, FixedAndSequence) {
  EXPECT_EQ(source("fixed:-7").id(12345), -7);
  EXPECT_EQ(source("seq").id(0), 0);
  EXPECT_EQ(source("seq").id(41), 41);
  EXPECT_EQ(source("seq:1000").id(5), 1005);
  EXPECT_EQ(source("seq:2147483647").id(1), std::numeric_limits<std::int32_t>::min());
}

TEST(MpclientIds, AreAFunctionOfSeedAndNumber) {
  const IdSource a = source("uniform:1000000", 1);
  const IdSource b = source("uniform:1000000", 2);
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(a.id(i), source("uniform:1000000", 1).id(i));
    equal += a.id(i) == b.id(i) ? 1 : 0;
  }
  EXPECT_LT(equal, 10);
}

TEST(MpclientIds, OtherIdIsAlwaysAnother) {
  for (const char* text : {"uniform:2", "uniform:1", "zipf:3", "fixed:2147483647", "seq"}) {
    const IdSource ids = source(text);
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const std::int32_t first = ids.id(i);
      EXPECT_NE(ids.id_other_than(first, i), first) << text;
      EXPECT_NE(ids.id_other_than(first, i + 1000), first) << text;
    }
  }
}

TEST(MpclientIds, RefusesWhatIsNoDistribution) {
  for (const char* text : {"",
                           "uniform",
                           "uniform:",
                           "uniform:0",
                           "uniform:-1",
                           "uniform:10x",
                           "uniform:10,1",
                           "uniform:4294967296",
                           "zipf:0",
                           "zipf:5,",
                           "zipf:5,0",
                           "zipf:5,-1",
                           "zipf:5,nan",
                           "zipf:5,1x",
                           "fixed",
                           "fixed:",
                           "fixed:2147483648",
                           "seq:",
                           "seq:x",
                           "sequence",
                           "random:3"}) {
    EXPECT_FALSE(IdSource::parse(text, 1).has_value()) << text;
  }
}

}  // namespace
}  // namespace mpb::load
