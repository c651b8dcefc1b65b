#include "broker/dispatch/worker_table.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

WorkerTable online_workers(std::size_t count, std::uint32_t soft_limit, std::uint32_t window) {
  WorkerTable workers(soft_limit, window);
  workers.resize(count);
  for (Slot slot = 0; slot < count; ++slot) {
    workers.begin_incarnation(slot);
    workers.set_state(slot, WorkerState::kOnline);
  }
  return workers;
}

TEST(WorkerTable, StatesHaveNames) {
  EXPECT_EQ(to_string(WorkerState::kStopped), "stopped");
  EXPECT_EQ(to_string(WorkerState::kStarting), "starting");
  EXPECT_EQ(to_string(WorkerState::kOnline), "online");
  EXPECT_EQ(to_string(WorkerState::kDraining), "draining");
  EXPECT_EQ(to_string(WorkerState::kBackoff), "backoff");
  EXPECT_EQ(to_string(WorkerState::kParked), "parked");
}

TEST(WorkerTable, LoadIsWhatWasReportedAndWhatIsOnItsWay) {
  WorkerTable workers = online_workers(1, 0, 4);
  workers.report(0, 5, 9);
  workers.add_in_flight(0);
  workers.add_in_flight(0);
  EXPECT_EQ(workers.load(0), 7U);
  EXPECT_EQ(workers.at(0).held, 9U);
  workers.remove_in_flight(0);
  EXPECT_EQ(workers.load(0), 6U);
}

TEST(WorkerTable, RoomEndsAtTheSoftLimit) {
  WorkerTable workers = online_workers(2, 3, 4);
  workers.report(0, 2, 2);
  EXPECT_TRUE(workers.has_room(0));
  EXPECT_EQ(workers.free_room(), 4U);
  workers.add_in_flight(0);
  EXPECT_FALSE(workers.has_room(0));
  EXPECT_EQ(workers.free_room(), 3U);
  workers.set_soft_limit(0);
  EXPECT_TRUE(workers.has_room(0));
  EXPECT_EQ(workers.free_room(), UINT32_MAX);
}

TEST(WorkerTable, AWorkerOverItsLimitTakesNoRoomFromTheOthers) {
  WorkerTable workers = online_workers(2, 3, 4);
  workers.report(0, 50, 50);
  EXPECT_EQ(workers.free_room(), 3U);
}

TEST(WorkerTable, OnlyOnlineWorkersHaveRoom) {
  WorkerTable workers = online_workers(1, 0, 4);
  for (const WorkerState state :
       {WorkerState::kStopped, WorkerState::kStarting, WorkerState::kDraining,
        WorkerState::kBackoff, WorkerState::kParked}) {
    workers.set_state(0, state);
    EXPECT_FALSE(workers.has_room(0)) << to_string(state);
    EXPECT_EQ(workers.free_room(), 0U);
    EXPECT_EQ(workers.coming(0), state == WorkerState::kStarting || state == WorkerState::kBackoff);
  }
}

TEST(WorkerTable, FullHoldsUntilTheNextReport) {
  WorkerTable workers = online_workers(1, 0, 4);
  workers.mark_full(0);
  EXPECT_FALSE(workers.has_room(0));
  workers.report(0, 0, 0);
  EXPECT_TRUE(workers.has_room(0));
}

TEST(WorkerTable, CreditIsWhatTheWindowLeaves) {
  WorkerTable workers = online_workers(1, 0, 2);
  EXPECT_EQ(workers.credit(0), 2U);
  workers.add_in_flight(0);
  EXPECT_TRUE(workers.has_credit(0));
  workers.add_in_flight(0);
  EXPECT_FALSE(workers.has_credit(0));
  EXPECT_EQ(workers.credit(0), 0U);
}

TEST(WorkerTable, ANewIncarnationKnowsNothingOfTheOneBefore) {
  WorkerTable workers = online_workers(1, 3, 4);
  workers.report(0, 3, 5);
  workers.add_in_flight(0);
  workers.mark_full(0);
  const std::uint32_t before = workers.at(0).incarnation;
  workers.begin_incarnation(0);
  EXPECT_EQ(workers.at(0).incarnation, before + 1);
  EXPECT_EQ(workers.at(0).state, WorkerState::kStarting);
  EXPECT_EQ(workers.load(0), 0U);
  EXPECT_EQ(workers.at(0).held, 0U);
  EXPECT_FALSE(workers.at(0).full);
}

TEST(WorkerTable, UnknownSlotsAreNeitherOnlineNorComing) {
  const WorkerTable workers = online_workers(2, 0, 4);
  EXPECT_FALSE(workers.known(2));
  EXPECT_FALSE(workers.online(2));
  EXPECT_FALSE(workers.has_room(2));
  EXPECT_FALSE(workers.coming(kNoSlot));
}

TEST(WorkerTable, Counts) {
  WorkerTable workers = online_workers(3, 0, 4);
  workers.set_state(1, WorkerState::kParked);
  EXPECT_EQ(workers.count(WorkerState::kOnline), 2U);
  EXPECT_EQ(workers.count(WorkerState::kParked), 1U);
  EXPECT_EQ(workers.count(WorkerState::kBackoff), 0U);
}

TEST(WorkerTable, NobodyHasMoreClientsThanThereCanBe) {
  WorkerTable workers = online_workers(1, 0, 4);
  workers.report(0, UINT32_MAX, UINT32_MAX);
  workers.add_in_flight(0);
  EXPECT_GT(workers.load(0), 1U << 29U) << "the sum has not wrapped around";
  workers.set_most_clients(1'000);
  workers.report(0, UINT32_MAX, UINT32_MAX);
  EXPECT_EQ(workers.at(0).clients, 1'000U);
  EXPECT_EQ(workers.at(0).held, 1'000U);
}

TEST(WorkerTable, WhoOnlyEverRefusesIsBelievedNoReportOfRoomForAWhile) {
  WorkerTable workers = online_workers(1, 0, 4);
  int asked = 0;
  for (; workers.has_room(0) && asked < 100; ++asked) {
    workers.mark_full(0);
    workers.report(0, 0, 0);
  }
  EXPECT_GT(asked, 2) << "an honest one may be mistaken now and then";
  EXPECT_LT(asked, 16) << "and a client has attempts left";
  int looks = 0;
  for (; !workers.has_room(0) && looks < 100; ++looks) workers.clear_full(0);
  const int first = looks;
  workers.mark_full(0);
  workers.report(0, 0, 0);
  for (looks = 0; !workers.has_room(0) && looks < 100; ++looks) workers.clear_full(0);
  EXPECT_GT(looks, first) << "the next time is longer";
  workers.note_taken(0);
  workers.mark_full(0);
  workers.report(0, 0, 0);
  EXPECT_TRUE(workers.has_room(0)) << "it has taken one";
}

TEST(WorkerTable, SeveralRefusalsOfOneMomentAreOne) {
  WorkerTable workers = online_workers(1, 0, 100);
  for (int i = 0; i < 100; ++i) workers.mark_full(0);
  workers.report(0, 0, 0);
  EXPECT_TRUE(workers.has_room(0));
}

TEST(WorkerTable, WhoSaysThatNobodyStaysIsMeasuredByTheOthers) {
  WorkerTable workers = online_workers(3, 0, 100);
  for (Slot slot = 0; slot < 3; ++slot) {
    for (int i = 0; i < 100; ++i) workers.note_taken(slot);
  }
  workers.report(0, 0, 0);
  workers.report(1, 100, 100);
  workers.report(2, 100, 100);
  const std::uint64_t likely = workers.likely_load(0, workers.fleet());
  EXPECT_GT(likely, 70U);
  EXPECT_LE(likely, 100U);
  EXPECT_EQ(workers.likely_load(1, workers.fleet()), 100U);
  // Clients that leave everywhere are believed to do so here.
  workers.report(1, 2, 2);
  workers.report(2, 2, 2);
  EXPECT_EQ(workers.likely_load(0, workers.fleet()), 0U);
}

TEST(WorkerTable, WhatWasSentLongAgoIsForgotten) {
  WorkerTable workers = online_workers(2, 0, 100);
  for (int i = 0; i < 100; ++i) workers.note_taken(0);
  workers.note_taken(1);
  workers.report(1, 1, 1);
  EXPECT_GT(workers.likely_load(0, workers.fleet()), 0U);
  for (int i = 0; i < 10'000; ++i) workers.age(0);
  EXPECT_EQ(workers.likely_load(0, workers.fleet()), 0U);
  EXPECT_EQ(workers.at(0).taken, 100U);
}

}  // namespace
}  // namespace mpb
