#include "broker/dispatch/restart_policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mpb {
namespace {

const WorkerExit kFailedStart{false, false, Duration{50}};
const WorkerExit kSoonAfterReady{true, false, Duration{50}};
const WorkerExit kAfterLong{true, false, Duration{60'000}};
const WorkerExit kUsage{false, true, Duration{5}};

class RestartPolicyTest : public testing::Test {
 protected:
  /// The delay without its jitter must be `base`.
  void expect_delay(const WorkerExit& exit, int base) {
    const RestartDecision decision = policy_.on_exit(exit, random_);
    EXPECT_FALSE(decision.park);
    EXPECT_GE(decision.delay.count(), base);
    EXPECT_LE(decision.delay.count(), base + base / 4);
  }

  std::mt19937_64 random_{7};
  RestartPolicy policy_;
};

TEST_F(RestartPolicyTest, DelaysDoubleUpToTheLongest) {
  for (const int base : {100, 200, 400, 800, 1'600, 3'200, 5'000, 5'000}) {
    expect_delay(kFailedStart, base);
  }
}

TEST_F(RestartPolicyTest, TriesForEver) {
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(policy_.on_exit(kFailedStart, random_).park);
  expect_delay(kFailedStart, 5'000);
}

TEST_F(RestartPolicyTest, IsHopelessOnceItWasNotReadyForLong) {
  for (int i = 0; i < 4; ++i) policy_.on_exit(kFailedStart, random_);  // 1.7 s
  EXPECT_FALSE(policy_.hopeless());
  policy_.on_exit(kFailedStart, random_);
  EXPECT_TRUE(policy_.hopeless());
  policy_.forgive();
  policy_.on_exit(kFailedStart, random_);
  policy_.on_exit(kSoonAfterReady, random_);
  EXPECT_FALSE(policy_.hopeless()) << "it was ready meanwhile";
}

TEST_F(RestartPolicyTest, OneStartThatTookLongIsEnough) {
  policy_.on_exit({false, false, Duration{10'000}}, random_);
  EXPECT_TRUE(policy_.hopeless());
  policy_.forgive();
  EXPECT_FALSE(policy_.hopeless());
}

TEST_F(RestartPolicyTest, ACrashLoopBehindReadyIsHopelessWhileItsPausesAreLong) {
  for (int i = 0; i < 5; ++i) policy_.on_exit(kSoonAfterReady, random_);  // the last pause: 1.6 s
  EXPECT_FALSE(policy_.hopeless());
  policy_.on_exit(kSoonAfterReady, random_);
  EXPECT_TRUE(policy_.hopeless()) << "nobody should wait 3.2 s for its next try";
  policy_.on_exit(kAfterLong, random_);
  EXPECT_FALSE(policy_.hopeless());
}

TEST_F(RestartPolicyTest, AWrongConfigurationParksAtOnce) {
  EXPECT_TRUE(policy_.on_exit(kUsage, random_).park);
}

TEST_F(RestartPolicyTest, ASingleCrashIsRestartedAtOnce) {
  for (int i = 0; i < 20; ++i) {
    const RestartDecision decision = policy_.on_exit(kAfterLong, random_);
    EXPECT_FALSE(decision.park);
    EXPECT_EQ(decision.delay.count(), 0);
  }
}

TEST_F(RestartPolicyTest, ACrashLoopBehindReadyBacksOffAndGoesOn) {
  expect_delay(kSoonAfterReady, 0);
  for (const int base : {200, 400, 800}) expect_delay(kSoonAfterReady, base);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(policy_.on_exit(kSoonAfterReady, random_).park);
  expect_delay(kSoonAfterReady, 5'000);
  EXPECT_GT(policy_.failures(), 100U);
  expect_delay(kAfterLong, 0);
}

TEST_F(RestartPolicyTest, ForgivenItStartsOver) {
  for (int i = 0; i < 9; ++i) policy_.on_exit(kFailedStart, random_);
  policy_.forgive();
  EXPECT_EQ(policy_.failures(), 0U);
  expect_delay(kFailedStart, 100);
}

TEST_F(RestartPolicyTest, JitterSpreads) {
  Duration low{1'000'000};
  Duration high{0};
  for (int i = 0; i < 200; ++i) {
    RestartPolicy policy;
    const Duration delay = policy.on_exit(kFailedStart, random_).delay;
    low = std::min(low, delay);
    high = std::max(high, delay);
  }
  EXPECT_LE(low.count(), 103);
  EXPECT_GE(high.count(), 122);
}

}  // namespace
}  // namespace mpb
