#include "broker/dispatch/acceptor_set.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mpb {
namespace {

using Slots = std::vector<Slot>;

class AcceptorSetTest : public testing::Test {
 protected:
  AcceptorSetTest() {
    workers_.resize(5);
    acceptors_.set_rules({.count = 2, .most_held = 100}, workers_);
  }

  void start(Slot slot) {
    workers_.begin_incarnation(slot);
    workers_.set_state(slot, WorkerState::kStarting);
    acceptors_.begin(slot, workers_);
  }
  void online(Slot slot) { workers_.set_state(slot, WorkerState::kOnline); }
  void start_all() {
    for (Slot slot = 0; slot < workers_.size(); ++slot) start(slot);
    for (Slot slot = 0; slot < workers_.size(); ++slot) online(slot);
    EXPECT_EQ(fill(), Slots{}) << "they were told at their start";
  }
  Slots fill() { return acceptors_.choose(workers_, AcceptorSet::Choice::kFill); }
  Slots thorough() { return acceptors_.choose(workers_, AcceptorSet::Choice::kThorough); }
  [[nodiscard]] Slots all() const {
    Slots slots;
    for (Slot slot = 0; slot < workers_.size(); ++slot) {
      if (acceptors_.has(slot)) slots.push_back(slot);
    }
    return slots;
  }

  WorkerTable workers_{0, 4};
  AcceptorSet acceptors_;
};

TEST_F(AcceptorSetTest, AreTheFirst) {
  start_all();
  EXPECT_EQ(all(), (Slots{0, 1}));
  EXPECT_FALSE(acceptors_.nobody_accepts(workers_));
}

TEST_F(AcceptorSetTest, AreAllOfFew) {
  acceptors_.set_rules({.count = 8}, workers_);
  start_all();
  EXPECT_EQ(all(), (Slots{0, 1, 2, 3, 4}));
}

TEST_F(AcceptorSetTest, AnotherTakesThePlaceOfOneThatGoesUntilItIsBack) {
  start_all();
  workers_.set_state(0, WorkerState::kDraining);
  EXPECT_EQ(fill(), Slots{2});
  start(0);
  EXPECT_FALSE(acceptors_.has(0)) << "there are two";
  online(0);
  EXPECT_EQ(fill(), Slots{});
  EXPECT_EQ(thorough(), (Slots{0, 2}));
  EXPECT_EQ(all(), (Slots{0, 1}));
}

TEST_F(AcceptorSetTest, OneThatIsBackAtOnceGoesOn) {
  start_all();
  workers_.set_unreachable(1);
  start(1);
  EXPECT_TRUE(acceptors_.has(1));
  online(1);
  EXPECT_EQ(fill(), Slots{});
}

TEST_F(AcceptorSetTest, SomebodyAcceptsWhenNobodyDoes) {
  for (const Slot slot : Slots{0, 1, 2, 3}) start(slot);
  online(3);
  EXPECT_FALSE(acceptors_.nobody_accepts(workers_)) << "0 and 1 are about to";
  for (const Slot slot : Slots{0, 1}) workers_.set_state(slot, WorkerState::kBackoff);
  EXPECT_TRUE(acceptors_.nobody_accepts(workers_));
  EXPECT_EQ(fill(), Slots{3});
  EXPECT_FALSE(acceptors_.nobody_accepts(workers_));
  workers_.set_unreachable(3);
  EXPECT_FALSE(acceptors_.nobody_accepts(workers_)) << "nobody is online";
}

TEST_F(AcceptorSetTest, OneThatStartsSlowlyHasItsSocketsOnceItIsOnline) {
  for (const Slot slot : Slots{0, 1, 2}) start(slot);
  for (const Slot slot : Slots{1, 2}) online(slot);
  EXPECT_EQ(fill(), Slots{2});
  online(0);
  EXPECT_EQ(thorough(), Slots{2});
  EXPECT_EQ(all(), (Slots{0, 1}));
}

TEST_F(AcceptorSetTest, OneThatIsFullOrLateGivesItsPlaceToOneThatIsNot) {
  start_all();
  workers_.report(0, 101, 101);
  EXPECT_EQ(fill(), (Slots{0, 2}));
  workers_.set_late(1, true);
  EXPECT_EQ(fill(), (Slots{1, 3}));
  for (const Slot slot : Slots{2, 3, 4}) workers_.report(slot, 101, 101);
  EXPECT_EQ(thorough(), (Slots{0, 1, 2, 3})) << "of equals the first";
  EXPECT_EQ(all(), (Slots{0, 1}));
}

TEST_F(AcceptorSetTest, OneThatIsNearTheMostDoesNotComeAndGo) {
  start_all();
  workers_.report(0, 101, 101);
  EXPECT_EQ(fill(), (Slots{0, 2}));
  workers_.report(0, 99, 99);
  EXPECT_EQ(thorough(), Slots{});
  workers_.report(0, 80, 80);
  EXPECT_EQ(thorough(), (Slots{0, 2}));
  workers_.report(0, 99, 99);
  EXPECT_EQ(fill(), Slots{});
}

TEST_F(AcceptorSetTest, FixedOnesAreThoseWhateverBecomesOfThem) {
  acceptors_.set_rules({.count = 1, .fixed = true}, workers_);
  start_all();
  workers_.set_state(0, WorkerState::kDraining);
  EXPECT_EQ(fill(), Slots{});
  EXPECT_EQ(all(), Slots{0});
  acceptors_.set_rules({.count = 2}, workers_);
  EXPECT_TRUE(acceptors_.has(1) && acceptors_.has(2));
}

}  // namespace
}  // namespace mpb
