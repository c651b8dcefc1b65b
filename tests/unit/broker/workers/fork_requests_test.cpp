#include "broker/workers/fork_requests.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mpb {
namespace {

class ForkRequestsTest : public testing::Test {
 protected:
  std::uint64_t add(int name) {
    return requests.add(now, [this, name](const Result<pid_t>&) { told.push_back(name); });
  }

  ForkRequests requests;
  TimePoint now{std::chrono::seconds(100)};
  std::vector<int> told;
};

TEST_F(ForkRequestsTest, AnAnswerGoesToWhoAskedAndOnce) {
  const auto first = add(1);
  const auto second = add(2);
  requests.take(first, now)(pid_t{7});
  EXPECT_EQ(told, std::vector<int>{1});
  EXPECT_FALSE(requests.take(first, now));
  requests.take(second, now)(pid_t{8});
  EXPECT_EQ(told, (std::vector<int>{1, 2}));
  EXPECT_TRUE(requests.empty());
}

TEST_F(ForkRequestsTest, AnswersComeInOrderAndOnlyToWhatWasAsked) {
  const auto first = add(1);
  const auto second = add(2);
  EXPECT_FALSE(requests.take(second, now));
  EXPECT_FALSE(requests.take(second + 1, now));
  EXPECT_FALSE(requests.take(0, now));
  EXPECT_TRUE(requests.take(first, now));
}

TEST_F(ForkRequestsTest, AnAnswerIsOverdueWhenNoneCameForTheLimit) {
  EXPECT_FALSE(requests.due());
  const auto first = add(1);
  const TimePoint due = now + ForkRequests::kLimit;
  now += Duration{10};
  add(2);
  EXPECT_EQ(requests.due(), due);
  now += Duration{500};
  (void)requests.take(first, now);
  EXPECT_EQ(requests.due(), due + Duration{510}) << "it works on";
  now += Duration{20'000};
  (void)requests.take(first + 1, now);
  EXPECT_FALSE(requests.due());
  add(3);
  EXPECT_EQ(requests.due(), now + ForkRequests::kLimit) << "it was not asked before";
}

TEST_F(ForkRequestsTest, AllThatWaitAreTakenAtOnceInTheirOrder) {
  add(1);
  add(2);
  for (const ForkDone& done : requests.take_all()) done(unavailable_error("it has ended"));
  EXPECT_EQ(told, (std::vector<int>{1, 2}));
  EXPECT_FALSE(requests.due());
}

TEST_F(ForkRequestsTest, AreBounded) {
  for (std::size_t i = 0; i < ForkRequests::kMost; ++i) {
    EXPECT_FALSE(requests.full());
    add(1);
  }
  EXPECT_TRUE(requests.full());
}

}  // namespace
}  // namespace mpb
