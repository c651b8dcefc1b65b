// How many notices are told, and of what is held back how much is known.
#include "worker/link/notice_limit.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using std::chrono::seconds;

Notice refused(std::string_view vhost, Reason reason = Reason::kKey) {
  Notice notice;
  notice.reason = reason;
  notice.vhost = vhost;
  return notice;
}

class NoticeLimitTest : public testing::Test {
 protected:
  /// How many of `count` at once are told.
  int told(const Notice& notice, std::string_view section, int count) {
    int admitted = 0;
    for (int i = 0; i < count; ++i) admitted += limit.admit(notice, section, now) ? 1 : 0;
    return admitted;
  }

  NoticeLimit limit;
  TimePoint now = TimePoint{} + seconds(1'000'000);
};

TEST_F(NoticeLimitTest, TenAtOnceThenOneEachSecondWithTheCountOfTheOthers) {
  EXPECT_EQ(told(refused("a.test"), "a.test", 10), 10);
  EXPECT_EQ(told(refused("a.test"), "a.test", 500), 0);
  now += seconds(1);
  EXPECT_EQ(limit.admit(refused("a.test"), "a.test", now), 500U);
  EXPECT_EQ(told(refused("a.test"), "a.test", 3), 0);
  now += seconds(1);
  EXPECT_EQ(limit.admit(refused("a.test"), "a.test", now), 3U);
  now += seconds(60);
  EXPECT_EQ(limit.admit(refused("a.test"), "a.test", now), 0U);
  EXPECT_EQ(told(refused("a.test"), "a.test", 100), 9);
}

TEST_F(NoticeLimitTest, VhostsAndReasonsDoNotHoldEachOtherBack) {
  EXPECT_EQ(told(refused("a.test"), "a.test", 1000), 10);
  EXPECT_EQ(told(refused("a.test", Reason::kAddress), "a.test", 1000), 10);
  EXPECT_EQ(told(refused("b.test"), "b.test", 1000), 10);
}

TEST_F(NoticeLimitTest, NamesThatAWildcardServesShareItsRate) {
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i) + ".example.com";
    if (limit.admit(refused(name), "*.example.com", now)) ++admitted;
  }
  EXPECT_EQ(admitted, 10);
}

TEST_F(NoticeLimitTest, NamesThatClientsMakeUpCostNeitherMemoryNorLines) {
  int admitted = 0;
  for (int round = 0; round < 10; ++round) {
    now += seconds(1);
    for (int i = 0; i < 10'000; ++i) {
      const std::string name = std::to_string(round * 10'000 + i) + ".test";
      if (limit.admit(refused(name, Reason::kVhost), {}, now)) ++admitted;
    }
  }
  EXPECT_LE(admitted, 16 * (10 + 10));
  EXPECT_EQ(limit.vhosts(), 0U);
}

TEST_F(NoticeLimitTest, PublicationsHaveARateOfTheirOwn) {
  Notice publish = refused("a.test", Reason::kNone);
  publish.kind = Notice::Kind::kPublish;
  EXPECT_EQ(told(refused("a.test"), "a.test", 1000), 10);
  EXPECT_EQ(told(publish, "a.test", 1000), 100);
}

TEST_F(NoticeLimitTest, OfAllTogetherThereIsABoundToo) {
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i) + ".test";
    admitted += told(refused(name), name, 10);
  }
  EXPECT_EQ(admitted, 200);
  now += seconds(1);
  EXPECT_EQ(limit.admit(refused("999.test"), "999.test", now), 10U) << "what it held back counts";
}

TEST_F(NoticeLimitTest, SectionsAreBoundedAndForgottenWhenTheyAreAtRest) {
  for (int i = 0; i < 5000; ++i) {
    const std::string name = std::to_string(i) + ".test";
    static_cast<void>(limit.admit(refused(name), name, now));
    now += Duration{20};
  }
  EXPECT_LE(limit.vhosts(), 1024U);
  EXPECT_EQ(told(refused("new.test"), "new.test", 1000), 10) << "there is room for another";
}

}  // namespace
}  // namespace mpb
