#include "broker/worker_table.hpp"

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

}  // namespace
}  // namespace mpb
