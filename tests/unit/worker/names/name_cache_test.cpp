#include "worker/names/name_cache.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using What = NameCache::Known::What;
using News = NameCache::News;

class NameCacheTest : public ::testing::Test {
 protected:
  static NameCache::Addresses one() { return {parse_endpoint("192.0.2.1:1").value()}; }

  NameCache cache;
  TimePoint now = TimePoint{} + std::chrono::hours{1};
};

TEST_F(NameCacheTest, AnUnknownNameIsLookedUpOnceForAllWhoAsk) {
  const auto first = cache.ask("a.test", now);
  EXPECT_EQ(first.what, What::kNotYet);
  EXPECT_TRUE(first.look_up);
  const auto second = cache.ask("a.test", now);
  EXPECT_EQ(second.what, What::kNotYet);
  EXPECT_FALSE(second.look_up);
  EXPECT_EQ(cache.found("a.test", one(), now), News::kNothing);
  const auto known = cache.ask("a.test", now);
  ASSERT_EQ(known.what, What::kAddresses);
  EXPECT_EQ(known.addresses->size(), 1U);
  EXPECT_FALSE(known.look_up);
}

TEST_F(NameCacheTest, OldAddressesServeWhileTheyAreLookedUpAgain) {
  cache.ask("a.test", now);
  cache.found("a.test", one(), now);
  now += NameCache::kHolds;
  const auto old = cache.ask("a.test", now);
  EXPECT_EQ(old.what, What::kAddresses);
  EXPECT_TRUE(old.look_up);
  EXPECT_FALSE(cache.ask("a.test", now).look_up);
  // A name server that is away takes nothing from those who are there.
  EXPECT_EQ(cache.failed("a.test", "no answer", NameCache::Cause::kUnknown, now), News::kFails);
  EXPECT_EQ(cache.ask("a.test", now).what, What::kAddresses);
  EXPECT_EQ(cache.failed("a.test", "no answer", NameCache::Cause::kUnknown,
                         now + NameCache::kMaxStale + Duration{1}),
            News::kNothing);
  EXPECT_EQ(cache.ask("a.test", now + NameCache::kMaxStale + Duration{1}).what, What::kNone);
}

TEST_F(NameCacheTest, AFailureHoldsForAWhile) {
  cache.ask("a.test", now);
  EXPECT_EQ(cache.failed("a.test", "no such name", NameCache::Cause::kFinal, now), News::kFails);
  const auto known = cache.ask("a.test", now + NameCache::kFailureHolds - Duration{1});
  EXPECT_EQ(known.what, What::kNone);
  EXPECT_EQ(known.why, "no such name");
  EXPECT_FALSE(known.look_up);
  EXPECT_TRUE(cache.ask("a.test", now + NameCache::kFailureHolds).look_up);
  EXPECT_EQ(cache.found("a.test", one(), now), News::kIsBack);
}

TEST_F(NameCacheTest, ANameThatIsNoMoreLosesItsAddresses) {
  cache.ask("a.test", now);
  cache.found("a.test", one(), now);
  now += NameCache::kHolds;
  cache.ask("a.test", now);
  cache.failed("a.test", "no such name", NameCache::Cause::kFinal, now);
  EXPECT_EQ(cache.ask("a.test", now).what, What::kNone);
}

TEST_F(NameCacheTest, AddressesThatDidNotServeAreLookedUpAgainFirst) {
  cache.ask("a.test", now);
  cache.found("a.test", one(), now);
  cache.doubt("a.test");
  EXPECT_EQ(cache.ask("a.test", now).what, What::kAddresses) << "just looked up";
  now += NameCache::kDoubtedHolds;
  const auto doubted = cache.ask("a.test", now);
  EXPECT_EQ(doubted.what, What::kNotYet);
  EXPECT_TRUE(doubted.look_up);
  cache.found("a.test", one(), now);
  EXPECT_EQ(cache.ask("a.test", now).what, What::kAddresses);
}

TEST_F(NameCacheTest, HowManyNamesAreKeptIsBounded) {
  for (std::size_t i = 0; i < NameCache::kMaxNames; ++i) {
    EXPECT_EQ(cache.ask(std::to_string(i), now).what, What::kNotYet);
  }
  EXPECT_EQ(cache.ask("one more", now).what, What::kNone) << "all are being looked up";
  cache.found("7", one(), now);
  EXPECT_TRUE(cache.ask("one more", now).look_up) << "in the place of one that is not";
}

TEST(NameCache, AFailureOfOursSaysNothingOfTheName) {
  NameCache cache;
  const TimePoint now = TimePoint{} + std::chrono::hours(1);
  cache.ask("a.test", now);
  cache.failed("a.test", "no thread", NameCache::Cause::kOurs, now);
  const NameCache::Known known = cache.ask("a.test", now);
  EXPECT_EQ(known.what, NameCache::Known::What::kNone);
  EXPECT_TRUE(known.ours);
  EXPECT_TRUE(cache.ask("a.test", now + NameCache::kDoubtedHolds).look_up) << "again soon";
  cache.failed("a.test", "no answer", NameCache::Cause::kUnknown, now);
  EXPECT_FALSE(cache.ask("a.test", now).ours);
}

}  // namespace
}  // namespace mpb
