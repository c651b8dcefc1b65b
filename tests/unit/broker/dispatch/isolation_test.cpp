// Clients who wait for a cell: dispatcher, router and set of cells together.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/isolating_parts.hpp"

namespace mpb {
namespace {

using channel::NackReason;

constexpr Slot kMost = 8;

class IsolationTest : public testing::Test, protected test::IsolatingParts {
 protected:
  IsolationTest() : IsolatingParts(kMost) { rules_.isolate = Isolation::kKey; }

  Dispatch offer(std::uint64_t handoff, const std::string& key, std::uint8_t attempts = 0) {
    channel::Handoff message;
    message.handoff = handoff;
    message.client.key = key;
    message.client.attempts = attempts;
    return dispatcher_.on_handoff(0, message, rules_, true, now_);
  }
  std::vector<Slot> start() {
    const auto slots = cells_.to_start(now_);
    for (const Slot slot : slots) {
      workers_.begin_incarnation(slot);
      workers_.set_state(slot, WorkerState::kOnline);
      cells_.on_online(slot, now_);
    }
    return slots;
  }
  /// The handoffs that are told to come again at the turn's end; others fail the test.
  std::vector<std::uint64_t> woken() {
    dispatcher_.wake_waiting(now_);
    std::vector<std::uint64_t> again;
    dispatcher_.flush(now_, [&](Slot, const Outbox& outbox) {
      for (const auto& nack : outbox.nacks) {
        EXPECT_EQ(nack.reason, NackReason::kRetry);
        again.push_back(nack.id);
      }
    });
    return again;
  }
};

TEST_F(IsolationTest, AKeysClientsComeAgainOnceItsCellIsOnline) {
  EXPECT_EQ(offer(1, "a").kind, Dispatch::Kind::kNothing);
  EXPECT_EQ(offer(2, "a").kind, Dispatch::Kind::kNothing);
  EXPECT_TRUE(woken().empty()) << "there is room, but not for them";
  now_ += Duration{1'000};
  EXPECT_EQ(dispatcher_.demand(now_), 0U) << "an extra worker would not help them";
  const std::vector<Slot> cells = start();
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_EQ(woken(), (std::vector<std::uint64_t>{1, 2}));
  const Dispatch sent = offer(3, "a", 1);
  EXPECT_EQ(sent.kind, Dispatch::Kind::kDeliver);
  EXPECT_EQ(sent.slot, cells[0]);
  EXPECT_NE(sent.epoch, 0U);
}

TEST_F(IsolationTest, AsManyClientsComeAgainAsCellsAreReady) {
  rules_.isolate = Isolation::kClient;
  cell_rules_.at_once = 2;
  cells_.set_rules(cell_rules_);
  for (std::uint64_t handoff = 1; handoff <= 3; ++handoff) {
    EXPECT_EQ(offer(handoff, "").kind, Dispatch::Kind::kNothing);
  }
  const std::vector<Slot> cells = start();
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(woken(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(offer(9, "").kind, Dispatch::Kind::kNothing) << "others were there before";
  EXPECT_EQ(offer(4, "", 1).kind, Dispatch::Kind::kDeliver);
  EXPECT_EQ(offer(5, "", 1).kind, Dispatch::Kind::kDeliver);
  EXPECT_EQ(start().size(), 2U) << "for the two that wait still";
}

TEST_F(IsolationTest, WhoseCellDiesBeforeItIsOnlineAsksAgain) {
  offer(1, "a");
  const Slot slot = cells_.to_start(now_).at(0);
  workers_.begin_incarnation(slot);
  workers_.set_state(slot, WorkerState::kStopped);
  std::mt19937_64 random{1};
  EXPECT_TRUE(cells_.on_gone(slot, {}, now_, random));
  dispatcher_.worker_gone(slot);
  EXPECT_EQ(woken(), std::vector<std::uint64_t>{1});
}

TEST_F(IsolationTest, WhoseCellHasNoPlaceIsDecidedAnew) {
  offer(1, "a");
  offer(2, "a");
  std::mt19937_64 random{1};
  cells_.on_start_failed(cells_.to_start(now_).at(0), now_, random);
  EXPECT_EQ(woken(), (std::vector<std::uint64_t>{1, 2}));
  offer(3, "a", 1);
  EXPECT_EQ(router_.key_count(), 1U) << "others serve it";
}

TEST_F(IsolationTest, WhoWaitsForACellThatDoesNotEndIsDecidedAnew) {
  cell_rules_.maximum = kBase + 1;
  cells_.set_rules(cell_rules_);
  offer(1, "a");
  const Slot slot = start().at(0);
  woken();
  ASSERT_EQ(offer(2, "a", 1).slot, slot);
  router_.release(slot, 0, "a", 1);
  router_.forget_owner(slot);
  offer(3, "b");
  EXPECT_EQ(dispatcher_.waiting(), 1U);
  EXPECT_TRUE(woken().empty());
  cells_.tick(now_);
  now_ += Duration{2'000};
  cells_.tick(now_);
  EXPECT_EQ(woken(), std::vector<std::uint64_t>{3}) << "not busy at the end of its wait";
}

TEST_F(IsolationTest, UnderOtherRulesWhoWaitsComesAgain) {
  rules_.isolate = Isolation::kClient;
  offer(1, "");
  rules_.isolate = Isolation::kKey;
  offer(2, "a");
  EXPECT_TRUE(woken().empty());
  dispatcher_.decide_anew();
  EXPECT_EQ(woken(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(dispatcher_.waiting(), 0U);
  EXPECT_TRUE(woken().empty());
}

TEST_F(IsolationTest, ARefusedClientLeavesNoCellBehind) {
  offer(1, "a");
  const Slot slot = start().at(0);
  woken();
  const Dispatch sent = offer(2, "a", 1);
  EXPECT_TRUE(dispatcher_.on_nack(slot, sent.delivery));
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{slot});
  EXPECT_EQ(router_.key_count(), 0U);
}

}  // namespace
}  // namespace mpb
