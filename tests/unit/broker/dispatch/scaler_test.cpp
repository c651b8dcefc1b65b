#include "broker/dispatch/scaler.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace mpb {
namespace {

constexpr std::uint32_t kLimit = 10;
const TimePoint kStart{std::chrono::hours(1)};

class ScalerTest : public testing::Test {
 protected:
  ScalerTest() { workers_.resize(5); }

  void state(Slot slot, WorkerState state) { workers_.set_state(slot, state); }
  void online(Slot slot, std::uint32_t clients) {
    workers_.begin_incarnation(slot);
    state(slot, WorkerState::kOnline);
    workers_.report(slot, clients, clients);
  }

  WorkerTable workers_{kLimit, 100};
  Scaler scaler_{{2, 5, 100, Duration{1'000}}};
};

TEST_F(ScalerTest, WantsNoneWhileThereIsRoom) {
  online(0, 10);
  online(1, 9);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 0U);
}

TEST_F(ScalerTest, WantsAsManyAsTheWaitingNeed) {
  online(0, 10);
  online(1, 10);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 1U);
  EXPECT_EQ(scaler_.wanted(workers_, 10), 1U);
  EXPECT_EQ(scaler_.wanted(workers_, 11), 2U);
  EXPECT_EQ(scaler_.wanted(workers_, 1'000), 3U) << "the maximum is five";
}

TEST_F(ScalerTest, WhatAWorkerSaysBeyondItsLimitWantsNoFurtherOnes) {
  online(0, 1'000'000);
  online(1, 0);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 0U);
  online(1, 10);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 1U);
}

TEST_F(ScalerTest, ClientsOnTheirWayCount) {
  online(0, 10);
  online(1, 9);
  workers_.add_in_flight(1);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 1U);
}

TEST_F(ScalerTest, WorkersThatStartAreCountedOn) {
  online(0, 10);
  online(1, 10);
  state(2, WorkerState::kStarting);
  EXPECT_EQ(scaler_.wanted(workers_, 10), 0U);
  EXPECT_EQ(scaler_.wanted(workers_, 11), 1U);
}

TEST_F(ScalerTest, GrowsAtItsMark) {
  scaler_.set_rules({2, 5, 50, Duration{1'000}});
  online(0, 5);
  online(1, 4);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
  online(1, 5);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 1U);
  online(1, 10);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 2U);
}

TEST_F(ScalerTest, AWorkerThatSaysItIsFullHasNoRoomBelowItsLimit) {
  online(0, 10);
  online(1, 3);
  workers_.mark_full(1);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 1U);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
}

TEST_F(ScalerTest, WithoutLoadNothingIsStartedForABaseWorkerThatIsDown) {
  scaler_.set_rules({2, 5, 50, Duration{1'000}});
  state(0, WorkerState::kBackoff);
  state(1, WorkerState::kParked);
  EXPECT_EQ(scaler_.wanted(workers_, 0), 0U);
  EXPECT_EQ(scaler_.wanted(workers_, 1), 1U);
}

TEST_F(ScalerTest, EveryProcessAndEverySlotThatIsDownCountsTowardsTheMaximum) {
  online(0, 10);
  state(1, WorkerState::kParked);
  state(2, WorkerState::kDraining);
  state(3, WorkerState::kBackoff);
  EXPECT_EQ(scaler_.wanted(workers_, 100), 1U);
  online(4, 10);
  EXPECT_EQ(scaler_.wanted(workers_, 100), 0U);
}

TEST_F(ScalerTest, WithoutASoftLimitItNeverGrows) {
  workers_.set_soft_limit(0);
  online(0, 1'000);
  online(1, 1'000);
  EXPECT_EQ(scaler_.wanted(workers_, 1'000), 0U);
  EXPECT_FALSE(scaler_.room_may_come(workers_));
}

TEST_F(ScalerTest, RoomMayComeFromAWorkerThatStartsOrMayBeStarted) {
  for (Slot slot = 0; slot < 4; ++slot) online(slot, kLimit);
  EXPECT_TRUE(scaler_.room_may_come(workers_)) << "a fifth may be started";
  online(4, kLimit);
  EXPECT_FALSE(scaler_.room_may_come(workers_));
  state(4, WorkerState::kStarting);
  EXPECT_TRUE(scaler_.room_may_come(workers_));
  state(4, WorkerState::kBackoff);
  EXPECT_TRUE(scaler_.room_may_come(workers_));
  state(4, WorkerState::kParked);
  EXPECT_FALSE(scaler_.room_may_come(workers_));
}

TEST_F(ScalerTest, FreeSlotsAreThoseOfExtraWorkersWithoutAProcess) {
  EXPECT_EQ(scaler_.free_slot(workers_), 2);
  online(2, 0);
  state(3, WorkerState::kBackoff);
  EXPECT_EQ(scaler_.free_slot(workers_), 4);
  state(4, WorkerState::kParked);
  EXPECT_EQ(scaler_.free_slot(workers_), std::nullopt);
  EXPECT_FALSE(scaler_.is_extra(1));
  EXPECT_TRUE(scaler_.is_extra(2));
}

TEST_F(ScalerTest, RetiresExtraWorkersThatStayedEmpty) {
  for (Slot slot = 0; slot < 4; ++slot) online(slot, 0);
  workers_.report(3, 0, 1);  // a client that is not routed yet
  EXPECT_TRUE(scaler_.to_retire(workers_, kStart).empty());
  EXPECT_TRUE(scaler_.to_retire(workers_, kStart + Duration{999}).empty());
  EXPECT_EQ(scaler_.to_retire(workers_, kStart + Duration{1'000}), std::vector<Slot>{2});
  EXPECT_TRUE(scaler_.to_retire(workers_, kStart + Duration{1'001}).empty());
}

TEST_F(ScalerTest, AClientInBetweenStartsTheLingerTimeOver) {
  online(2, 0);
  scaler_.to_retire(workers_, kStart);
  workers_.add_in_flight(2);
  scaler_.to_retire(workers_, kStart + Duration{500});
  workers_.remove_in_flight(2);
  scaler_.to_retire(workers_, kStart + Duration{600});
  EXPECT_TRUE(scaler_.to_retire(workers_, kStart + Duration{1'500}).empty());
  EXPECT_EQ(scaler_.to_retire(workers_, kStart + Duration{1'600}), std::vector<Slot>{2});
}

TEST_F(ScalerTest, OnlyOnlineWorkersRetire) {
  online(2, 0);
  scaler_.to_retire(workers_, kStart);
  state(2, WorkerState::kDraining);
  EXPECT_TRUE(scaler_.to_retire(workers_, kStart + Duration{5'000}).empty());
}

}  // namespace
}  // namespace mpb
