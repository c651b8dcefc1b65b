#include "broker/workers/counter_totals.hpp"

#include <gtest/gtest.h>

#include "common/base/counter_json.hpp"

namespace mpb {
namespace {

ReportedCounters counted(std::uint64_t accepted, std::uint64_t pauses = 0) {
  ReportedCounters counters;
  counters.own.accept_pauses = pauses;
  counters.ever[7] = {.listener = 7, .accepted = accepted};
  counters.refused[1] = accepted;
  return counters;
}

TEST(CounterTotals, AddUpTheProcessesOfASlotAndTheSlotsOfAListener) {
  CounterTotals totals;
  totals.add(0, 1, counted(10, 3));
  totals.add(0, 2, counted(20, 4));
  totals.add(5, 4, counted(40));
  ASSERT_EQ(totals.workers.size(), 2U);
  EXPECT_EQ(totals.workers[0].slot.taken, 3U);
  EXPECT_EQ(totals.workers[0].own.accept_pauses, 7U);
  EXPECT_EQ(totals.workers[0].listeners.accepted, 30U);
  EXPECT_EQ(totals.workers[5].listeners.accepted, 40U);
  EXPECT_EQ(totals.listeners[7].accepted, 70U);
  EXPECT_EQ(totals.refused[1], 70U);
}

TEST(CounterTotals, StayWhereWorkersLieForSoLongThatNoSumBearsIt) {
  CounterTotals totals;
  for (int process = 0; process < 5'000; ++process) totals.add(0, 0, counted(kMostCounted));
  EXPECT_EQ(totals.workers[0].listeners.accepted, kMostCounted);
  EXPECT_EQ(totals.listeners[7].accepted, kMostCounted);
  EXPECT_EQ(totals.refused[1], kMostCounted);
}

TEST(CounterJson, PutsWhatHasADotIntoAnObject) {
  boost::json::object report;
  put(report, WorkerCounters{.keys_owned = 2, .queue_high_water = 3});
  put(report, ProcessCounters{.queue_high_water = 4}, &CounterInfo::is_gauge);
  EXPECT_EQ(report.at("keys"), 2);
  EXPECT_EQ(report.at("queue_high_water"), (boost::json::object{{"worker", 3}, {"broker", 4}}));
  EXPECT_FALSE(report.contains("queue_high_water.worker"));
}

}  // namespace
}  // namespace mpb
