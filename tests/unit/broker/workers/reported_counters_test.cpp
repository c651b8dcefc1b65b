#include "broker/workers/reported_counters.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace mpb {
namespace {

constexpr std::uint64_t kAll = UINT64_MAX;
constexpr std::uint64_t kMost = 1ULL << 53U;

std::string words(const std::vector<std::uint64_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::uint64_t)};
}

/// Of a worker with listeners that have accepted so many.
std::vector<std::uint64_t> pong_of(std::initializer_list<ListenerCounters> listeners) {
  std::vector<std::uint64_t> all{1, 2, 3, 4, 5};
  for (const ListenerCounters& counters : listeners) {
    const std::size_t at = all.size();
    all.resize(at + sizeof(ListenerCounters) / sizeof(std::uint64_t));
    std::memcpy(all.data() + at, &counters, sizeof counters);
  }
  return all;
}

class ReportedCountersTest : public testing::Test {
 protected:
  void take(const std::vector<std::uint64_t>& counters,
            const std::vector<std::uint64_t>& refusals = {}) {
    const std::string own = words(counters);
    const std::string refused = words(refusals);
    channel::Pong pong;
    pong.counters = own;
    pong.refusals = refused;
    reported.take(pong, {0, 7}, 1'000);
  }
  ReportedCounters reported;
};

TEST_F(ReportedCountersTest, WhatIsPossibleIsKept) {
  take(pong_of({{.listener = 7, .clients = 3, .accepted = 9}}), {0, 4});
  EXPECT_EQ(reported.own.clients, 1U);
  EXPECT_EQ(reported.own.queue_high_water, 5U);
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].accepted, 9U);
  EXPECT_EQ(reported.refused[1], 4U);
}

TEST_F(ReportedCountersTest, NobodyHasMoreClientsThanDescriptorsOrCountsBeyondWhatCanBeAddedUp) {
  take({kAll, kAll, kAll, kAll, kAll, 7, kAll, kAll}, {kAll, kAll});
  EXPECT_EQ(reported.own.clients, 1'000U);
  EXPECT_EQ(reported.own.held, 1'000U);
  EXPECT_EQ(reported.own.accept_pauses, kMost);
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].clients, 1'000U);
  EXPECT_EQ(reported.listeners[0].accepted, kMost);
  EXPECT_EQ(reported.refused[1], kMost);
}

TEST_F(ReportedCountersTest, CountersNeverFallWhatIsNowDoes) {
  take(pong_of({{.listener = 7, .clients = 3, .accepted = 9}}), {0, 4});
  take({0, 0, 0, 0, 0, 7, 0, 0}, {0, 0});
  EXPECT_EQ(reported.own.clients, 0U);
  EXPECT_EQ(reported.own.keys_owned, 0U);
  EXPECT_EQ(reported.own.accept_pauses, 4U);
  EXPECT_EQ(reported.listeners[0].clients, 0U);
  EXPECT_EQ(reported.listeners[0].accepted, 9U);
  EXPECT_EQ(reported.refused[1], 4U);
}

TEST_F(ReportedCountersTest, OnlyListenersThatItHasAndEachOnce) {
  take(pong_of({{.listener = 7, .accepted = 1},
                {.listener = 8, .accepted = 2},
                {.listener = 65'536, .accepted = 3},
                {.listener = 7, .accepted = 4},
                {.listener = 0, .accepted = 5}}));
  ASSERT_EQ(reported.listeners.size(), 2U);
  EXPECT_EQ(reported.listeners[0].accepted, 1U);
  EXPECT_EQ(reported.listeners[1].accepted, 5U);
}

TEST_F(ReportedCountersTest, WhatAListenerHadCountedStaysWhenItIsGone) {
  take(pong_of({{.listener = 7, .accepted = 9}, {.listener = 0, .accepted = 1}}));
  take(pong_of({{.listener = 0, .accepted = 2}}));
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.ever.at(7).accepted, 9U);
  EXPECT_EQ(reported.ever.at(0).accepted, 2U);
  take(pong_of({{.listener = 7, .accepted = 3}}));
  EXPECT_EQ(reported.listeners.at(0).accepted, 9U) << "it said more before";
}

TEST_F(ReportedCountersTest, APongMayEndAfterAnyCounter) {
  take({1, 2});
  EXPECT_EQ(reported.own.held, 2U);
  EXPECT_TRUE(reported.listeners.empty());
  take({1, 2, 3, 4, 5, 7, 6});
  ASSERT_EQ(reported.listeners.size(), 1U);
  EXPECT_EQ(reported.listeners[0].clients, 6U);
}

}  // namespace
}  // namespace mpb
