#include "broker/workers/reported_counters.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

namespace mpb {
namespace {

constexpr std::uint64_t kAll = UINT64_MAX;
constexpr std::uint64_t kMost = 1ULL << 53U;

using Values = std::vector<std::uint64_t>;
using channel::BlockKind;

/// Block by block.
struct Said {
  std::string blocks;

  Said& with(BlockKind kind, std::uint16_t number, const Values& counters) {
    channel::append_block(blocks, {kind, number, std::span(counters)});
    return *this;
  }
  /// Of a worker that counts 1, 2, 3, 4, 5.
  static Said worker() { return Said().with(BlockKind::kWorker, 0, {1, 2, 3, 4, 5}); }
  Said& refused(const Values& counters) { return with(BlockKind::kRefusals, 0, counters); }
  Said& accepted(std::uint16_t listener, std::uint64_t count) {
    return with(BlockKind::kListener, listener, {3, count});
  }
};

class ReportedCountersTest : public testing::Test {
 protected:
  void take(const Said& said) {
    channel::Pong pong;
    pong.blocks = said.blocks;
    reported.take(pong, {0, 7}, 1'000);
  }
  ReportedCounters reported;
};

TEST_F(ReportedCountersTest, WhatIsPossibleIsKept) {
  take(Said::worker().accepted(7, 9).refused({0, 4}));
  EXPECT_EQ(reported.own.clients, 1U);
  EXPECT_EQ(reported.own.queue_high_water, 5U);
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].accepted, 9U);
  EXPECT_EQ(reported.refused[1], 4U);
}

TEST_F(ReportedCountersTest, NobodyHasMoreClientsThanDescriptorsOrCountsBeyondWhatCanBeAddedUp) {
  take(Said()
           .with(BlockKind::kWorker, 0, Values(5, kAll))
           .with(BlockKind::kListener, 7, {kAll, kAll})
           .refused({kAll, kAll}));
  EXPECT_EQ(reported.own.clients, 1'000U);
  EXPECT_EQ(reported.own.held, 1'000U);
  EXPECT_EQ(reported.own.accept_pauses, kMost);
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].clients, 1'000U);
  EXPECT_EQ(reported.listeners[0].accepted, kMost);
  EXPECT_EQ(reported.refused[1], kMost);
}

TEST_F(ReportedCountersTest, CountersNeverFallWhatIsNowDoes) {
  take(Said::worker().accepted(7, 9).refused({0, 4}));
  take(Said()
           .with(BlockKind::kWorker, 0, Values(5, 0))
           .with(BlockKind::kListener, 7, {0, 0})
           .refused({0, 0}));
  EXPECT_EQ(reported.own.clients, 0U);
  EXPECT_EQ(reported.own.keys_owned, 0U);
  EXPECT_EQ(reported.own.accept_pauses, 4U);
  EXPECT_EQ(reported.listeners[0].clients, 0U);
  EXPECT_EQ(reported.listeners[0].accepted, 9U);
  EXPECT_EQ(reported.refused[1], 4U);
}

TEST_F(ReportedCountersTest, OnlyListenersThatItHasAndEachOnce) {
  take(Said::worker().accepted(7, 1).accepted(8, 2).accepted(7, 4).accepted(0, 5));
  ASSERT_EQ(reported.listeners.size(), 2U);
  EXPECT_EQ(reported.listeners[0].accepted, 1U);
  EXPECT_EQ(reported.listeners[1].accepted, 5U);
}

TEST_F(ReportedCountersTest, WhatAListenerHadCountedStaysWhenItIsGone) {
  take(Said::worker().accepted(7, 9).accepted(0, 1));
  take(Said::worker().accepted(0, 2));
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.ever.at(7).accepted, 9U);
  EXPECT_EQ(reported.ever.at(0).accepted, 2U);
  take(Said::worker().accepted(7, 3));
  EXPECT_EQ(reported.listeners.at(0).accepted, 9U) << "it said more before";
}

TEST_F(ReportedCountersTest, ABlockMayEndAfterAnyCounter) {
  take(Said().with(BlockKind::kWorker, 0, {1, 2}));
  EXPECT_EQ(reported.own.held, 2U);
  EXPECT_TRUE(reported.listeners.empty());
  take(Said::worker().with(BlockKind::kListener, 7, {6}));
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].clients, 6U);
}

TEST_F(ReportedCountersTest, WhatANewerWorkerCountsBesidesIsSkipped) {
  take(Said()
           .with(static_cast<BlockKind>(9), 7, {8, 8})
           .with(BlockKind::kWorker, 0, Values(50, 1))
           .with(BlockKind::kListener, 7, Values(50, 2)));
  EXPECT_EQ(reported.own.queue_high_water, 1U);
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].closed_unsettled, 2U);
}

}  // namespace
}  // namespace mpb
