#include "worker/rtmp/relay/message_pace.hpp"

#include <gtest/gtest.h>

#include "worker/rtmp/relay/rate_window.hpp"

namespace mpb::rtmp {
namespace {

TimePoint at(int milliseconds) {
  return TimePoint{} + Duration{milliseconds};
}

TEST(MessagePace, ABurstIsTakenAtOnceAndThenSoManyASecond) {
  MessagePace pace;
  std::uint32_t taken = 0;
  for (; pace.ready(at(0)); ++taken) pace.take(1, at(0));
  EXPECT_EQ(taken, MessagePace::kBurst + 1);
  EXPECT_TRUE(pace.ready(at(100)));
  std::uint32_t later = 0;
  for (; pace.ready(at(1'000)); ++later) pace.take(1, at(1'000));
  EXPECT_EQ(later, MessagePace::kMessagesPerSecond);
}

TEST(MessagePace, CommandsAndAggregatesCostMore) {
  MessagePace pace;
  pace.take(MessagePace::kBurst + MessagePace::kMessagesPerSecond, at(0));
  EXPECT_FALSE(pace.ready(at(999)));
  EXPECT_TRUE(pace.ready(at(1'000)));
  MessagePace commands;
  std::uint32_t taken = 0;
  for (; commands.ready(at(0)); ++taken) commands.take(MessagePace::kCommand, at(0));
  EXPECT_EQ(taken, MessagePace::kBurst / MessagePace::kCommand + 1);
}

TEST(RateWindow, CountsTheAverageOfTenSeconds) {
  RateWindow window;
  for (int i = 0; i < 100; ++i) {
    window.add(100, 1);
    ASSERT_FALSE(window.exceeds(100)) << i;
  }
  window.add(101, 1);
  EXPECT_TRUE(window.exceeds(100));
  EXPECT_FALSE(window.exceeds(101));
}

TEST(RateWindow, AStallAndWhatComesBehindItAverageOut) {
  RateWindow window;
  for (int i = 0; i < 20; ++i) window.add(90, 1);
  for (int i = 0; i < 8; ++i) window.add(0, 1);
  window.add(9 * 90, 1);
  EXPECT_FALSE(window.exceeds(100));
}

TEST(RateWindow, AFloodIsSeenAtOnceAndPausesDoNotHideIt) {
  RateWindow flood;
  flood.add(1'001, 1);
  EXPECT_TRUE(flood.exceeds(100));
  RateWindow by_turns;
  for (int i = 0; i < 10; ++i) by_turns.add(i % 5 == 4 ? 0 : 130, 1);
  EXPECT_TRUE(by_turns.exceeds(100));
}

TEST(RateWindow, LooksThatComeLateAreNoExcess) {
  RateWindow window;
  for (int i = 0; i < 10; ++i) window.add(2'000, 20);
  EXPECT_FALSE(window.exceeds(100));
}

}  // namespace
}  // namespace mpb::rtmp
