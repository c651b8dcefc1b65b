#include "broker/talk/hub.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mpb {
namespace {

using Kind = channel::Address::Kind;
constexpr WorkerId kSender{0, 7};

class HubTest : public testing::Test {
 protected:
  HubTest() {
    hub.open(kSender);
    hub.open({1, 3});
    hub.open({2, 1});
  }
  static WaitingLetter letter(std::uint64_t id, std::size_t bytes = 100, WorkerId sender = kSender,
                              Amount retained = {}) {
    return {std::make_shared<const Parcel>(std::string(bytes, 'x'), UniqueFd()), sender, id,
            retained};
  }
  std::vector<Slot> receivers(Kind kind, Slot slot = 0, std::uint32_t generation = 0,
                              std::string_view name = {}, Slot owner = kNoSlot) {
    const auto& found = hub.receivers({kind, slot, generation, 0, name}, owner);
    why = found.why_none;
    return found.slots;
  }
  using Slots = std::vector<Slot>;

  Hub hub;
  Loss why = Loss::kNone;
};

TEST_F(HubTest, AWorkerIsNamedByItsGenerationASlotIsWhoeverHasIt) {
  EXPECT_EQ(receivers(Kind::kWorker, 1, 3), Slots{1});
  EXPECT_EQ(receivers(Kind::kWorker, 1, 2), Slots{});
  EXPECT_EQ(why, Loss::kNoWorker);
  EXPECT_EQ(receivers(Kind::kSlot, 1), Slots{1});
  for (const int number : {3, 1000, 65534, 65535}) {
    const auto slot = static_cast<Slot>(number);
    EXPECT_EQ(receivers(Kind::kSlot, slot), Slots{}) << slot;
    EXPECT_EQ(receivers(Kind::kWorker, slot, 1), Slots{}) << slot;
  }
}

TEST_F(HubTest, AllAreThoseThatAreOpen) {
  EXPECT_EQ(receivers(Kind::kAll), (Slots{0, 1, 2}));
  hub.close(1);
  EXPECT_EQ(receivers(Kind::kAll), (Slots{0, 2}));
  EXPECT_EQ(receivers(Kind::kSlot, 1), Slots{});
  hub.open({1, 4});
  EXPECT_EQ(receivers(Kind::kWorker, 1, 3), Slots{}) << "its successor is another";
  EXPECT_EQ(receivers(Kind::kWorker, 1, 4), Slots{1});
  Hub nobody;
  EXPECT_EQ(nobody.receivers({Kind::kAll, 0, 0, 0, {}}, kNoSlot).why_none, Loss::kNoWorker);
}

TEST_F(HubTest, AnOwnerIsWhomTheRouterNames) {
  EXPECT_EQ(receivers(Kind::kOwner, 0, 0, "key", 2), Slots{2});
  EXPECT_EQ(receivers(Kind::kOwner, 0, 0, "key"), Slots{});
  EXPECT_EQ(why, Loss::kNoOwner);
}

TEST_F(HubTest, AGroupIsWhoHasJoined) {
  EXPECT_EQ(receivers(Kind::kGroup, 0, 0, "a"), Slots{});
  EXPECT_EQ(why, Loss::kNobody);
  EXPECT_EQ(hub.join(1, {0, "a"}), "");
  EXPECT_EQ(hub.join(2, {0, "a"}), "");
  EXPECT_EQ(hub.join(2, {0, "a"}), "") << "twice is once";
  EXPECT_EQ(receivers(Kind::kGroup, 0, 0, "a"), (Slots{1, 2}));
  EXPECT_EQ(hub.join(1, {channel::Join::kLeave, "a"}), "");
  EXPECT_EQ(hub.join(1, {channel::Join::kLeave, "never"}), "");
  EXPECT_EQ(receivers(Kind::kGroup, 0, 0, "a"), Slots{2});
  hub.close(2);
  hub.open({2, 2});
  EXPECT_EQ(receivers(Kind::kGroup, 0, 0, "a"), Slots{}) << "a successor has joined nothing";
}

TEST_F(HubTest, GroupsOfOneWorkerAreBounded) {
  for (std::size_t i = 0; i < Bus::kMaxGroups; ++i) {
    EXPECT_EQ(hub.join(1, {0, std::to_string(i)}), "");
  }
  EXPECT_EQ(hub.join(1, {0, "1"}), "");
  EXPECT_NE(hub.join(1, {0, "more"}), "");
}

TEST_F(HubTest, NumbersCountUp) {
  EXPECT_EQ(hub.next_number(), 1U);
  EXPECT_EQ(hub.next_number(), 2U);
}

TEST_F(HubTest, WhatWaitsForOneThatEndsIsToldToItsSenderAndItsCreditComesBack) {
  const Amount amount{1, 100};
  ASSERT_TRUE(hub.mailbox(0).spend(amount));
  ASSERT_TRUE(hub.push(1, letter(11, 100, kSender, amount)));
  EXPECT_EQ(hub.mailbox(0).credit(), Amount{});
  hub.close(1);
  EXPECT_EQ(hub.mailbox(0).credit(), amount);
  const auto& losses = hub.mailbox(0).losses();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].letter, 11U);
  EXPECT_EQ(losses[0].slot, 1);
  EXPECT_EQ(losses[0].generation, 3U);
  EXPECT_EQ(losses[0].why, Loss::kGone);
  EXPECT_EQ(hub.waiting(), Amount{});
}

TEST_F(HubTest, NobodyIsToldForOneThatHasASuccessor) {
  ASSERT_TRUE(hub.push(1, letter(11, 100, kSender, {1, 100})));
  hub.close(0);
  hub.open({0, 8});
  hub.close(1);
  EXPECT_TRUE(hub.mailbox(0).losses().empty());
  EXPECT_EQ(hub.mailbox(0).credit(), Amount{});
}

TEST_F(HubTest, OneSenderFillsAMailboxByHalfOfItsWindowAndOthersHaveRoom) {
  std::uint32_t taken = 0;
  while (hub.push(1, letter(taken + 1, 10))) ++taken;
  EXPECT_EQ(taken, kMostWaitingOfOne.letters);
  EXPECT_LT(taken, kLetterWindow.letters) << "it has credit for others";
  EXPECT_EQ(hub.mailbox(0).losses().back().why, Loss::kFull);
  EXPECT_EQ(hub.mailbox(0).losses().back().letter, taken + 1);
  EXPECT_TRUE(hub.push(1, letter(1, 10, {2, 1})));
  EXPECT_TRUE(hub.push(2, letter(1, 10)));
}

TEST_F(HubTest, AMailboxIsBoundedInLettersAndBytes) {
  std::uint32_t letters = 0;
  std::uint32_t bytes = 0;
  for (Slot sender = 10; sender < 60; ++sender) {
    hub.open({sender, 1});
    while (hub.push(1, letter(1, 10, {sender, 1}))) ++letters;
    while (hub.push(2, letter(1, 30'000, {sender, 1}))) bytes += 30'000;
  }
  EXPECT_EQ(letters, kMostWaiting.letters);
  EXPECT_LE(bytes, kMostWaiting.bytes);
  EXPECT_GT(bytes + 30'000, kMostWaiting.bytes);
}

TEST_F(HubTest, ReceiversThatHaveStoppedHoldUpTheirSenderForNobodyElse) {
  const Amount amount{1, 100};
  for (Slot slot = 1; slot <= 3; ++slot) {
    hub.open({slot, 1});
    for (std::uint64_t id = 1; id <= 300; ++id) {
      ASSERT_TRUE(hub.mailbox(0).spend(amount));
      ASSERT_TRUE(hub.push(slot, letter(id, 100, kSender, amount)));
    }
  }
  hub.release_stopped();
  EXPECT_EQ(hub.mailbox(0).credit(), Amount{}) << "they may have had no time to read";
  hub.sent(3);
  hub.release_stopped();
  EXPECT_EQ(hub.mailbox(0).credit(), (Amount{601, 60'100})) << "the third one reads";
  hub.mailbox(0).credit_told();
  hub.release_stopped();
  EXPECT_EQ(hub.mailbox(0).credit(), (Amount{299, 29'900})) << "each is released once";
  hub.mailbox(0).credit_told();
  ASSERT_TRUE(hub.mailbox(0).spend(amount));
  EXPECT_TRUE(hub.push(1, letter(301, 100, kSender, amount)));
  EXPECT_EQ(hub.mailbox(0).credit(), amount) << "at once, of one that has stopped";
  hub.mailbox(0).credit_told();
  while (!hub.mailbox(1).empty()) hub.sent(1);
  EXPECT_EQ(hub.mailbox(0).credit(), Amount{}) << "no credit comes twice";
  ASSERT_TRUE(hub.mailbox(0).spend(amount));
  EXPECT_TRUE(hub.push(1, letter(302, 100, kSender, amount)));
  EXPECT_EQ(hub.mailbox(0).credit(), Amount{}) << "it reads again";
}

TEST_F(HubTest, ASuccessorDoesNotPayForItsPredecessor) {
  while (hub.push(1, letter(1, 10))) continue;
  hub.close(0);
  hub.open({0, 8});
  EXPECT_TRUE(hub.push(1, letter(1, 10, {0, 8})));
}

TEST_F(HubTest, WhatWaitsGoesOutInItsOrder) {
  for (const std::uint64_t id : {5, 6, 7}) ASSERT_TRUE(hub.push(1, letter(id)));
  for (const std::uint64_t id : {5, 6, 7}) {
    EXPECT_EQ(hub.mailbox(1).front().letter, id);
    hub.sent(1);
  }
  EXPECT_TRUE(hub.mailbox(1).empty());
}

TEST(Mailbox, NobodyPostsBeyondItsWindow) {
  Mailbox box(1);
  EXPECT_TRUE(box.spend({kLetterWindow.letters, 10}));
  EXPECT_FALSE(box.spend({1, 10}));
  Mailbox other(1);
  EXPECT_TRUE(other.spend({1, kLetterWindow.bytes}));
  EXPECT_FALSE(other.spend({1, 1}));
  EXPECT_FALSE(Mailbox().spend({1, 1})) << "it is not open";
}

TEST(Mailbox, CreditCountsOnceItWasTold) {
  Mailbox box(1);
  ASSERT_TRUE(box.spend(kLetterWindow));
  box.give_back({kCreditStep.letters - 1, 10});
  EXPECT_FALSE(box.has_credit_to_tell()) << "not worth a datagram";
  box.give_back({1, 10});
  EXPECT_TRUE(box.has_credit_to_tell());
  EXPECT_FALSE(box.spend({1, 1})) << "it was not told yet";
  box.credit_told();
  EXPECT_FALSE(box.has_credit_to_tell());
  EXPECT_TRUE(box.spend({kCreditStep.letters, 20}));
  EXPECT_FALSE(box.spend({1, 0}));
}

TEST(Mailbox, WhatIsLeftUntoldIsLessThanAStepSoThatNobodyWaitsForEver) {
  EXPECT_LT(kCreditStep.letters, kLetterWindow.letters);
  EXPECT_LT(kCreditStep.bytes + channel::kMaxContent, kLetterWindow.bytes);
}

TEST(Mailbox, DescriptorsThatWaitAreBounded) {
  Mailbox box(1);
  std::size_t taken = 0;
  const auto push = [&box] {
    return box.push({std::make_shared<const Parcel>("x", UniqueFd(::dup(2))), kSender, 1, {}});
  };
  while (push()) ++taken;
  EXPECT_EQ(taken, kMostDescriptorsWaiting);
  EXPECT_TRUE(box.push({std::make_shared<const Parcel>("x", UniqueFd()), kSender, 1, {}}));
  box.pop();
  EXPECT_TRUE(push());
}

}  // namespace
}  // namespace mpb
