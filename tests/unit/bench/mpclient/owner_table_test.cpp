#include "bench/mpclient/owner_table.hpp"

#include <gtest/gtest.h>

namespace mpb::load {
namespace {

using Meeting = OwnerTable::Meeting;

constexpr Worker kA{0, 100};
constexpr Worker kB{1, 101};
constexpr Worker kC{2, 102};

TEST(MpclientOwnerTable, AgreesWhileAllClientsOfAnIdMeetOneWorker) {
  OwnerTable table;
  EXPECT_EQ(table.join(7, kA), Meeting::kAgrees);
  EXPECT_EQ(table.join(7, kA), Meeting::kAgrees);
  EXPECT_EQ(table.join(8, kB), Meeting::kAgrees);
  EXPECT_FALSE(table.contested(7));
  EXPECT_EQ(table.leave(7, kA, true), 0U);
  EXPECT_EQ(table.leave(7, kA, true), 0U);
  EXPECT_EQ(table.leave(8, kB, true), 0U);
}

TEST(MpclientOwnerTable, LetsTheOwnerChangeWhenNobodyLives) {
  OwnerTable table;
  table.join(7, kA);
  table.leave(7, kA, true);
  EXPECT_EQ(table.join(7, kB), Meeting::kAgrees);
  EXPECT_EQ(table.leave(7, kB, true), 0U);
}

TEST(MpclientOwnerTable, IsSureOnceAnEarlierClientProvesAlive) {
  OwnerTable table;
  table.join(7, kA);
  EXPECT_EQ(table.join(7, kB), Meeting::kSuspect);
  EXPECT_EQ(table.join(7, kB), Meeting::kSuspect);
  EXPECT_TRUE(table.contested(7));
  EXPECT_EQ(table.leave(7, kA, true), 2U);
  EXPECT_FALSE(table.contested(7));
}

TEST(MpclientOwnerTable, IsSureAlsoWhenTheSuspectsHaveLeftBefore) {
  OwnerTable table;
  table.join(7, kA);
  table.join(7, kB);
  EXPECT_EQ(table.leave(7, kB, true), 0U);
  EXPECT_EQ(table.leave(7, kA, true), 1U);
}

TEST(MpclientOwnerTable, ForgivesWhenTheEarlierWorkerHadDied) {
  OwnerTable table;
  table.join(7, kA);
  table.join(7, kA);
  EXPECT_EQ(table.join(7, kB), Meeting::kSuspect);
  EXPECT_EQ(table.leave(7, kA, false), 0U);
  EXPECT_EQ(table.leave(7, kA, false), 0U);
  EXPECT_FALSE(table.contested(7));
  EXPECT_EQ(table.join(7, kB), Meeting::kAgrees);
}

TEST(MpclientOwnerTable, DoesNotHoldForgivenSuspectsAgainstALaterOwner) {
  OwnerTable table;
  table.join(7, kA);
  table.join(7, kB);
  table.leave(7, kA, false);
  EXPECT_EQ(table.join(7, kC), Meeting::kSuspect);
  EXPECT_EQ(table.leave(7, kB, true), 1U);
}

TEST(MpclientOwnerTable, TakesARestartedWorkerForAnother) {
  OwnerTable table;
  table.join(7, Worker{0, 100});
  EXPECT_EQ(table.join(7, Worker{0, 200}), Meeting::kSuspect);
}

TEST(MpclientOwnerTable, KnowsNoExcuseForThreeWorkersAtOnce) {
  OwnerTable table;
  table.join(7, kA);
  table.join(7, kB);
  EXPECT_EQ(table.join(7, kC), Meeting::kWrong);
}

TEST(MpclientOwnerTable, ForgetsIdsWithoutClients) {
  OwnerTable table;
  for (int id = -500; id < 500; ++id) table.join(id, kA);
  EXPECT_EQ(table.size(), 1000U);
  table.join(3, kB);
  table.leave(3, kB, true);
  for (int id = -500; id < 500; ++id) table.leave(id, kA, true);
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace mpb::load
