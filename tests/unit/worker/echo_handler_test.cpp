#include "worker/echo_handler.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "proto/control/control.hpp"

namespace mpb {
namespace {

using Next = Step::Next;

const std::string kGreeting(control::kGreeting);

std::string claim(std::int32_t id) {
  std::string text = "C";
  for (int shift = 0; shift < 32; shift += 8) {
    text += static_cast<char>(static_cast<std::uint32_t>(id) >> shift);
  }
  return text;
}
std::string message(std::string_view text) {
  return "M" + std::string(text) + '\0';
}

class ControlEchoTest : public testing::Test {
 protected:
  ControlEchoTest() {
    client_.key = "7";
    client_.slot = 3;
    client_.hops = 2;
  }
  Step feed(std::string_view bytes) { return handler_.on_bytes(client_, bytes, out_); }
  std::string who(std::string_view id) {
    return "worker=3 pid=" + std::to_string(::getpid()) + " id=" + std::string(id) + " hops=2" +
           '\0';
  }

  ControlEcho handler_;
  Client client_;
  std::string out_;
};

TEST_F(ControlEchoTest, AnswersEachCommandOnceAndInOrder) {
  const std::string bytes = message("a") + "W" + claim(7) + message("") + "W";
  const Step step = feed(bytes);
  EXPECT_EQ(step.next, Next::kContinue);
  EXPECT_EQ(step.consumed, bytes.size());
  EXPECT_EQ(out_, kGreeting + who("7") + kGreeting + kGreeting + who("7"));
}

TEST_F(ControlEchoTest, AnySplitGivesTheSameAnswers) {
  const std::string bytes = message("abc") + claim(7) + "W" + message(std::string(4096, 'x'));
  for (std::size_t chunk = 1; chunk < 9; ++chunk) {
    out_.clear();
    std::string pending;
    for (std::size_t i = 0; i < bytes.size(); i += chunk) {
      pending += bytes.substr(i, chunk);
      const Step step = feed(pending);
      ASSERT_EQ(step.next, Next::kContinue);
      pending.erase(0, step.consumed);
    }
    EXPECT_TRUE(pending.empty());
    EXPECT_EQ(out_, fmt::format("{0}{0}{1}{0}", kGreeting, who("7")));
  }
}

TEST_F(ControlEchoTest, WhatWasSeenIsNotGoneThroughAgain) {
  std::string pending = "M";
  for (int i = 0; i < 4000; ++i) {
    pending += 'x';
    client_.seen = pending.size() - 1;
    ASSERT_EQ(feed(pending).consumed, 0U);
    pending.back() = '\0';  // as only who looks again would see it
  }
  client_.seen = pending.size();
  pending += '\0';
  EXPECT_EQ(feed(pending).consumed, pending.size());
  EXPECT_EQ(out_, kGreeting);
}

TEST_F(ControlEchoTest, AnIncompleteCommandIsNotConsumed) {
  const Step step = feed(message("a") + "C\x01\x02");
  EXPECT_EQ(step.next, Next::kContinue);
  EXPECT_EQ(step.consumed, 3U);
  EXPECT_EQ(out_, kGreeting);
  EXPECT_EQ(feed("").consumed, 0U);
}

TEST_F(ControlEchoTest, AClaimOfAnotherIdMovesWithTheClaimAndAllBehindIt) {
  const std::string before = message("a");
  const Step step = feed(before + claim(-8) + message("b"));
  EXPECT_EQ(step.next, Next::kMove);
  EXPECT_EQ(step.key, "-8");
  EXPECT_EQ(step.consumed, before.size());
  EXPECT_EQ(out_, kGreeting);
}

TEST_F(ControlEchoTest, AClientWithoutAKeyMovesAtItsFirstClaim) {
  client_.key = {};
  EXPECT_EQ(feed("W").next, Next::kContinue);
  EXPECT_EQ(out_, who("-"));
  EXPECT_EQ(feed(claim(0)).key, "0");
}

TEST_F(ControlEchoTest, UnknownBytesAreToldAndEndIt) {
  const Step step = feed("WX" + message("never answered"));
  EXPECT_EQ(step.next, Next::kReject);
  EXPECT_EQ(out_, who("7") + std::string(control::kUnknownCommand));
}

TEST_F(ControlEchoTest, OverlongMessagesAreToldAndEndIt) {
  const Step step = feed("M" + std::string(control::kMaxMessage + 1, 'x'));
  EXPECT_EQ(step.next, Next::kReject);
  EXPECT_EQ(out_, std::string(control::kMessageTooLong));
}

TEST_F(ControlEchoTest, YieldsWhenMuchIsToBeWrittenAndLosesNothing) {
  std::string bytes;
  constexpr std::size_t kCommands = 10'000;
  for (std::size_t i = 0; i < kCommands; ++i) bytes += message("");
  std::size_t answered = 0;
  int calls = 0;
  while (!bytes.empty()) {
    out_.clear();
    const Step step = feed(bytes);
    ASSERT_GT(step.consumed, 0U);
    EXPECT_LT(out_.size(), 64U * 1024 + 256);
    answered += out_.size() / kGreeting.size();
    bytes.erase(0, step.consumed);
    ++calls;
  }
  EXPECT_EQ(answered, kCommands);
  EXPECT_GT(calls, 2);
}

TEST_F(ControlEchoTest, MovesNoState) {
  EXPECT_EQ(handler_.export_state(client_), "");
  EXPECT_TRUE(handler_.import_state(client_, ""));
  EXPECT_FALSE(handler_.import_state(client_, "?"));
}

TEST(PingEcho, GreetsForWhateverArrives) {
  PingEcho handler;
  Client client;
  std::string out;
  const Step step = handler.on_bytes(client, std::string_view("\0CX", 3), out);
  EXPECT_EQ(step.next, Next::kContinue);
  EXPECT_EQ(step.consumed, 3U);
  EXPECT_EQ(out, kGreeting);
  handler.on_bytes(client, "again", out);
  EXPECT_EQ(out, kGreeting + kGreeting);
}

}  // namespace
}  // namespace mpb
