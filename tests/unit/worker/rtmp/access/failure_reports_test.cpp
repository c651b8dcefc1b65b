#include "worker/rtmp/access/failure_reports.hpp"

#include <gtest/gtest.h>

namespace mpb::rtmp {
namespace {

class FailureReportsTest : public ::testing::Test {
 protected:
  static HookFailure why(const char* text) { return {"on_play", text, false}; }

  FailureReports reports{Duration{10'000}, 2};
  TimePoint now{Duration{1'000'000}};
};

TEST_F(FailureReportsTest, TheFirstOfEachUrlIsTold) {
  const auto first = reports.note("http://a/", why("refused"), now);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->url, "http://a/");
  EXPECT_EQ(first->failure.why, "refused");
  EXPECT_EQ(first->suppressed, 0U);
  EXPECT_FALSE(reports.note("http://a/", why("refused"), now));
  EXPECT_TRUE(reports.note("http://b/", why("refused"), now)) << "its trouble is another";
}

TEST_F(FailureReportsTest, WhatWasSuppressedIsCountedAndToldWithTheNext) {
  reports.note("http://a/", why("one"), now);
  reports.note("http://a/", why("two"), now);
  reports.note("http://a/", why("three"), now + Duration{9'999});
  const auto line = reports.note("http://a/", why("four"), now + Duration{10'000});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->failure.why, "four");
  EXPECT_EQ(line->suppressed, 2U);
  EXPECT_FALSE(reports.note("http://a/", why("five"), now + Duration{19'999}));
}

TEST_F(FailureReportsTest, WhatWasSuppressedIsToldAlsoWhenNothingFollows) {
  reports.note("http://a/", why("one"), now);
  reports.note("http://a/", why("two"), now);
  reports.note("http://a/", why("three"), now);
  EXPECT_TRUE(reports.due(now + Duration{9'999}).empty());
  const auto lines = reports.due(now + Duration{10'000});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].failure.why, "three");
  EXPECT_EQ(lines[0].suppressed, 1U) << "beside the one that is told";
  EXPECT_TRUE(reports.has_more());
  EXPECT_TRUE(reports.due(now + Duration{20'000}).empty());
  EXPECT_FALSE(reports.has_more()) << "nothing is kept of a URL that is well again";
}

TEST_F(FailureReportsTest, UrlsBeyondTheLimitShareALine) {
  reports.note("http://a/", why("x"), now);
  reports.note("http://b/", why("x"), now);
  const auto line = reports.note("http://c/", why("x"), now);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->url, "(others)");
  EXPECT_FALSE(reports.note("http://d/", why("x"), now));
  EXPECT_FALSE(reports.note("http://a/", why("x"), now));
}

}  // namespace
}  // namespace mpb::rtmp
