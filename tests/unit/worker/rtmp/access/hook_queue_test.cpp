#include "worker/rtmp/access/hook_queue.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

namespace mpb::rtmp {
namespace {

using Entry = HookQueue::Entry;
using Outcome = HookQueue::Outcome;
using Tickets = std::vector<std::uint64_t>;

constexpr TimePoint at(int milliseconds) {
  return TimePoint{} + std::chrono::hours(1) + Duration{milliseconds};
}

class HookQueueTest : public testing::Test {
 protected:
  std::uint64_t enter(const std::string& server, const std::string& vhost = "v",
                      const std::string& source = "s") {
    admission = queue.enter(++last, {server, vhost, source}, now);
    return last;
  }
  /// Those whose turn it is.
  Tickets start() {
    Tickets started;
    while (const auto ticket = queue.next()) started.push_back(*ticket);
    return started;
  }
  void fail(std::uint64_t ticket) { news = queue.finish(ticket, Outcome::kFailed, now); }
  void answer(std::uint64_t ticket) { news = queue.finish(ticket, Outcome::kAnswered, now); }
  /// Its breaker is open afterwards.
  void break_server(const std::string& server) {
    for (std::uint32_t i = 0; i < CircuitBreaker::kFailures; ++i) {
      const std::uint64_t ticket = enter(server);
      ASSERT_EQ(start(), Tickets{ticket});
      fail(ticket);
    }
    ASSERT_TRUE(news.opened);
  }
  void fill_from(const std::string& source, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) enter("a:80", "v", source);
  }

  HookQueue queue;
  HookQueue::Admission admission;
  HookQueue::News news;
  TimePoint now = at(0);
  std::uint64_t last = 0;
};

TEST_F(HookQueueTest, NobodyWaitsForAnotherServer) {
  for (int i = 0; i < 2'000; ++i) enter("slow:80", fmt::format("v{}", i % 7), fmt::to_string(i));
  const std::size_t slow = start().size();
  EXPECT_GE(slow, HookQueue::kMaxOfVhost);
  EXPECT_LE(slow, HookQueue::kMaxOfServer);
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t other = enter("fast:80");
    EXPECT_EQ(admission.entry, Entry::kWaits);
    EXPECT_EQ(start(), Tickets{other});
    answer(other);
  }
}

TEST_F(HookQueueTest, ManySlowServersLeavePlacesToOthers) {
  for (int server = 0; server < 10; ++server) {
    for (int i = 0; i < 100; ++i) enter(fmt::format("slow{}:80", server), "v", fmt::to_string(i));
    start();
  }
  EXPECT_LT(queue.under_way(), HookQueue::kMaxUnderWay);
  const std::uint64_t other = enter("fast:80");
  EXPECT_EQ(start(), Tickets{other});
}

TEST_F(HookQueueTest, AVhostAndASourceLeavePlacesToOthersAtTheirServer) {
  fill_from("s", 500);
  EXPECT_EQ(start().size(), HookQueue::kMaxOfSource);
  for (int i = 0; i < 100; ++i) enter("a:80", "v", fmt::to_string(i));
  EXPECT_EQ(start().size(), HookQueue::kMaxOfVhost - HookQueue::kMaxOfSource);
  const std::uint64_t other = enter("a:80", "w");
  EXPECT_EQ(start(), Tickets{other});
}

TEST_F(HookQueueTest, SourcesTakeTurns) {
  fill_from("s", HookQueue::kMaxOfSource);
  const Tickets first = start();
  fill_from("s", 100);
  const std::uint64_t of_t = enter("a:80", "v", "t");
  EXPECT_EQ(start(), Tickets{of_t}) << "it came last, and the others of s have their share";
  answer(first.front());
  EXPECT_EQ(start(), Tickets{HookQueue::kMaxOfSource + 1}) << "the one that waits longest";
}

TEST_F(HookQueueTest, OneSourceMayHaveAllTheRoomUntilSomebodyElseComes) {
  fill_from("s", HookQueue::kMaxOfSource);
  start();
  fill_from("s", HookQueue::kMaxWaiting);
  EXPECT_EQ(admission.entry, Entry::kWaits);
  EXPECT_EQ(queue.waiting(), HookQueue::kMaxWaiting);
  const std::uint64_t newest = last;
  enter("a:80", "v", "s");
  EXPECT_EQ(admission.entry, Entry::kFull);
  EXPECT_FALSE(admission.displaced);
  Tickets displaced;
  for (std::size_t i = 0; i < HookQueue::kMaxWaiting; ++i) {
    enter("a:80", "v", "t");
    if (admission.displaced) displaced.push_back(*admission.displaced);
    start();
  }
  EXPECT_EQ(queue.waiting(), HookQueue::kMaxWaiting);
  ASSERT_FALSE(displaced.empty());
  EXPECT_EQ(displaced.front(), newest);
  EXPECT_EQ(displaced.size(), HookQueue::kMaxWaiting / 2) << "each has half of the room";
}

TEST_F(HookQueueTest, AVhostThatFillsTheRoomLosesItToAnother) {
  for (std::size_t i = 0; i < 2 * HookQueue::kMaxWaiting; ++i) {
    enter("a:80", "v", fmt::to_string(i));
    start();
  }
  EXPECT_EQ(admission.entry, Entry::kFull);
  for (int i = 0; i < 100; ++i) {
    enter("b:80", "w");
    EXPECT_EQ(admission.entry, Entry::kWaits) << i;
    start();
  }
  EXPECT_EQ(queue.waiting(), HookQueue::kMaxWaiting);
  EXPECT_EQ(queue.state_of("b:80").waiting, 100 - HookQueue::kMaxOfSource);
}

TEST_F(HookQueueTest, WhoLeavesFreesItsPlace) {
  fill_from("s", HookQueue::kMaxOfSource);
  start();
  fill_from("s", HookQueue::kMaxWaiting);
  queue.leave(last);
  queue.leave(last);
  queue.leave(12'345'678);
  EXPECT_EQ(queue.waiting(), HookQueue::kMaxWaiting - 1);
  enter("a:80", "v", "s");
  EXPECT_EQ(admission.entry, Entry::kWaits);
}

TEST_F(HookQueueTest, AServerThatDoesNotAnswerIsNotAskedForAWhile) {
  fill_from("s", HookQueue::kMaxOfSource + 3);
  const Tickets started = start();
  for (std::uint32_t i = 0; i + 1 < CircuitBreaker::kFailures; ++i) fail(started[i]);
  EXPECT_FALSE(news.opened);
  const std::size_t waiting = queue.waiting();
  EXPECT_EQ(waiting, 3U);
  fail(started[CircuitBreaker::kFailures - 1]);
  EXPECT_TRUE(news.opened);
  EXPECT_EQ(news.given_up.size(), 3U) << "those that waited for it";
  EXPECT_EQ(queue.waiting(), 0U);
  enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kBroken);
  enter("b:80");
  EXPECT_EQ(admission.entry, Entry::kWaits) << "another server";
}

TEST_F(HookQueueTest, OneProbeShowsWhetherItAnswersAgain) {
  break_server("a:80");
  now += CircuitBreaker::kFirstPause;
  const std::uint64_t probe = enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kWaits);
  enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kBroken);
  EXPECT_EQ(start(), Tickets{probe});
  answer(probe);
  EXPECT_TRUE(news.closed);
  enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kWaits);
}

TEST_F(HookQueueTest, AProbeThatIsNotSentIsFollowedByAnother) {
  break_server("a:80");
  now += CircuitBreaker::kFirstPause;
  queue.leave(enter("a:80"));
  const std::uint64_t second = enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kWaits);
  ASSERT_EQ(start(), Tickets{second});
  queue.finish(second, Outcome::kNotSent, now);
  enter("a:80");
  EXPECT_EQ(admission.entry, Entry::kWaits);
}

TEST_F(HookQueueTest, WhatFailsHereIsNoFailureOfTheServer) {
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t ticket = enter("a:80");
    ASSERT_EQ(start(), Tickets{ticket});
    news = queue.finish(ticket, Outcome::kNotSent, now);
  }
  EXPECT_FALSE(news.opened);
  EXPECT_EQ(queue.state_of("a:80").breaker.state(), CircuitBreaker::State::kClosed);
}

TEST_F(HookQueueTest, AServerIsMuteThatWasAskedAndAnsweredNobody) {
  fill_from("s", HookQueue::kMaxOfSource + 1);
  const Tickets started = start();
  EXPECT_TRUE(queue.server_is_mute(last, at(0)));
  now = at(1);
  answer(started[0]);
  EXPECT_FALSE(queue.server_is_mute(last, at(0)));
  EXPECT_TRUE(queue.server_is_mute(last, at(2)));
}

TEST_F(HookQueueTest, NothingIsLeftOfWhatIsOver) {
  for (int round = 0; round < 1'000; ++round) {
    const std::uint64_t ticket = enter(fmt::format("s{}:80", round));
    ASSERT_EQ(start(), Tickets{ticket});
    answer(ticket);
  }
  EXPECT_EQ(queue.under_way(), 0U);
  EXPECT_EQ(queue.waiting(), 0U);
  EXPECT_FALSE(queue.next());
}

}  // namespace
}  // namespace mpb::rtmp
