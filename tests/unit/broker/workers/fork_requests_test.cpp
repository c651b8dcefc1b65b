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
  requests.take(first)(pid_t{7});
  EXPECT_EQ(told, std::vector<int>{1});
  EXPECT_FALSE(requests.take(first));
  requests.take(second)(pid_t{8});
  EXPECT_EQ(told, (std::vector<int>{1, 2}));
  EXPECT_TRUE(requests.empty());
}

TEST_F(ForkRequestsTest, AnswersComeInOrderAndOnlyToWhatWasAsked) {
  const auto first = add(1);
  const auto second = add(2);
  EXPECT_FALSE(requests.take(second));
  EXPECT_FALSE(requests.take(second + 1));
  EXPECT_FALSE(requests.take(0));
  EXPECT_TRUE(requests.take(first));
}

TEST_F(ForkRequestsTest, TheOldestIsOverdueFirst) {
  EXPECT_FALSE(requests.due());
  const auto first = add(1);
  const TimePoint due = now + ForkRequests::kLimit;
  now += Duration{10};
  add(2);
  EXPECT_EQ(requests.due(), due);
  (void)requests.take(first);
  EXPECT_EQ(requests.due(), due + Duration{10});
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
