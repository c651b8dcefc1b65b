#include "worker/rtmp/access/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace mpb::rtmp {
namespace {

using State = CircuitBreaker::State;

constexpr TimePoint at(int milliseconds) {
  return TimePoint{} + std::chrono::hours(1) + Duration{milliseconds};
}

void break_it(CircuitBreaker& breaker, TimePoint now) {
  for (std::uint32_t i = 0; i + 1 < CircuitBreaker::kFailures; ++i) {
    EXPECT_FALSE(breaker.failed(now));
    EXPECT_EQ(breaker.state(), State::kClosed);
  }
  EXPECT_TRUE(breaker.failed(now)) << "told once";
}

TEST(CircuitBreaker, OpensWhenNothingIsAnsweredAnyMore) {
  CircuitBreaker breaker;
  EXPECT_TRUE(breaker.admit(at(0)));
  break_it(breaker, at(0));
  EXPECT_EQ(breaker.state(), State::kOpen);
  EXPECT_FALSE(breaker.admit(at(999)));
  EXPECT_FALSE(breaker.failed(at(999))) << "of one that was sent before";
}

TEST(CircuitBreaker, AnAnswerInBetweenBeginsAnew) {
  CircuitBreaker breaker;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(breaker.failed(at(i)));
    if (i % 3 == 0) {
      EXPECT_FALSE(breaker.answered()) << "it was closed";
    }
  }
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreaker, OneIsTheProbeThatClosesIt) {
  CircuitBreaker breaker;
  break_it(breaker, at(0));
  EXPECT_TRUE(breaker.admit(at(1'000)));
  EXPECT_EQ(breaker.state(), State::kHalfOpen);
  EXPECT_FALSE(breaker.admit(at(1'000))) << "one at a time";
  EXPECT_TRUE(breaker.answered());
  EXPECT_TRUE(breaker.admit(at(1'001)));
  EXPECT_EQ(breaker.failures(), 0U);
}

TEST(CircuitBreaker, TheyPauseLongerAndLongerUpToABound) {
  CircuitBreaker breaker;
  break_it(breaker, at(0));
  TimePoint now = at(0);
  Duration pause = CircuitBreaker::kFirstPause;
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(breaker.admit(now + pause - Duration{1}));
    now += pause;
    ASSERT_TRUE(breaker.admit(now));
    EXPECT_FALSE(breaker.failed(now)) << "it was told already";
    pause = std::min(2 * pause, CircuitBreaker::kLongestPause);
  }
  now += pause;
  ASSERT_TRUE(breaker.admit(now));
  EXPECT_TRUE(breaker.answered());
  break_it(breaker, now);
  EXPECT_TRUE(breaker.admit(now + CircuitBreaker::kFirstPause)) << "as at first";
}

TEST(CircuitBreaker, AProbeThatWasNotSentLeavesItToTheNext) {
  CircuitBreaker breaker;
  break_it(breaker, at(0));
  ASSERT_TRUE(breaker.admit(at(1'000)));
  breaker.withdraw_probe();
  EXPECT_EQ(breaker.state(), State::kOpen);
  EXPECT_TRUE(breaker.admit(at(1'000)));
}

}  // namespace
}  // namespace mpb::rtmp
