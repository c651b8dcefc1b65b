#include "broker/dispatch/dispatcher.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mpb {
namespace {

using channel::NackReason;
using Kind = Dispatch::Kind;

const TimePoint kStart{std::chrono::hours(1)};
constexpr Duration kWaitLimit{1'000};
constexpr Duration kReportLimit{100};

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() { set_up(3, 0, 8, 3); }

  void set_up(Slot count, std::uint32_t soft_limit, std::uint32_t window, Slot maximum) {
    workers_ = WorkerTable(soft_limit, window);
    workers_.resize(count);
    for (Slot slot = 0; slot < count; ++slot) start(slot);
    router_.emplace(workers_, 1'000, 1);
    scaler_.emplace(ScalerRules{count, maximum, 100, Duration{0}});
    dispatcher_.emplace(workers_, *router_, *scaler_, 5);
    dispatcher_->set_wait_limit(kWaitLimit);
    dispatcher_->set_report_limit(kReportLimit);
    told_.clear();
  }
  void start(Slot slot) {
    workers_.begin_incarnation(slot);
    workers_.set_state(slot, WorkerState::kOnline);
  }
  void crash(Slot slot) {
    workers_.set_state(slot, WorkerState::kBackoff);
    dispatcher_->worker_gone(slot);
  }

  Dispatch offer(Slot origin, std::uint64_t id, std::string_view key, std::uint8_t attempts = 0,
                 bool descriptor = true) {
    channel::Handoff handoff;
    handoff.handoff = id;
    handoff.client.key = key;
    handoff.client.attempts = attempts;
    return dispatcher_->on_handoff(origin, handoff, rules_, descriptor, now_);
  }
  /// Makes `slot` the owner of `key` by a client of its own, which is acknowledged.
  void own(Slot slot, std::string_view key) {
    router_->pin(0, std::string(key), {slot});
    EXPECT_EQ(offer(slot, 999, key).kind, Kind::kNothing);
    const Outbox told = flush(slot);
    ASSERT_EQ(told.keeps.size(), 1U);
    EXPECT_TRUE(dispatcher_->on_ack(slot, told.keeps[0].delivery, now_));
    router_->pin(0, std::string(key), {});
  }

  void flush_all() {
    dispatcher_->flush(TimePoint::max(), [this](Slot slot, Outbox& outbox) {
      Outbox& all = told_[slot];
      all.settled.insert(all.settled.end(), outbox.settled.begin(), outbox.settled.end());
      all.keeps.insert(all.keeps.end(), outbox.keeps.begin(), outbox.keeps.end());
      all.nacks.insert(all.nacks.end(), outbox.nacks.begin(), outbox.nacks.end());
    });
  }
  /// What `slot` was told since the last time.
  Outbox flush(Slot slot) {
    flush_all();
    return std::exchange(told_[slot], Outbox{});
  }
  void expect_refusals(Slot slot, const std::vector<std::pair<std::uint64_t, NackReason>>& all) {
    const Outbox told = flush(slot);
    std::vector<std::pair<std::uint64_t, NackReason>> got;
    for (const auto& nack : told.nacks) got.emplace_back(nack.id, nack.reason);
    EXPECT_EQ(got, all);
  }
  void expect_idle() {
    EXPECT_EQ(dispatcher_->in_flight(), 0U);
    EXPECT_EQ(dispatcher_->waiting(), 0U);
    for (Slot slot = 0; slot < workers_.size(); ++slot) {
      EXPECT_EQ(workers_.at(slot).in_flight, 0U) << slot;
      EXPECT_EQ(dispatcher_->unsettled(slot), 0U) << slot;
    }
  }

  WorkerTable workers_{0, 0};
  std::optional<Router> router_;
  std::optional<Scaler> scaler_;
  std::optional<Dispatcher> dispatcher_;
  RoutingRules rules_;
  std::map<Slot, Outbox> told_;
  TimePoint now_ = kStart;
};

TEST_F(DispatcherTest, AClientOfAnotherWorkersKeyIsDeliveredAndSettled) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  ASSERT_EQ(out.kind, Kind::kDeliver);
  EXPECT_EQ(out.slot, 1);
  EXPECT_EQ(out.epoch, router_->find(0, "k")->epoch);
  EXPECT_EQ(out.delivery >> 32, 5U) << "the generation";
  EXPECT_EQ(workers_.at(1).in_flight, 1U);
  EXPECT_EQ(dispatcher_->unsettled(0), 1U);
  EXPECT_TRUE(flush(0).empty()) << "no verdict before the Ack";
  EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
  EXPECT_EQ(flush(0).settled, std::vector<std::uint64_t>{7});
  expect_idle();
  EXPECT_EQ(dispatcher_->counters().settled, 1U);
}

TEST_F(DispatcherTest, ASettledWaitsForOthersToGoWith) {
  own(1, "k");
  const auto settle = [this](std::uint64_t id) {
    const Dispatch out = offer(0, id, "k");
    ASSERT_EQ(out.kind, Kind::kDeliver);
    ASSERT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
  };
  std::vector<std::uint64_t> told;
  const auto flush_now = [&] {
    told.clear();
    dispatcher_->flush(now_, [&](Slot, const Outbox& outbox) { told = outbox.settled; });
    return told.size();
  };
  settle(1);
  now_ += Dispatcher::kSettledWait - Duration{1};
  settle(2);
  EXPECT_EQ(flush_now(), 0U);
  EXPECT_EQ(dispatcher_->unsettled(0), 0U) << "the books know already";
  EXPECT_EQ(dispatcher_->flush_due(), now_ + Duration{1});
  now_ += Duration{1};
  EXPECT_EQ(flush_now(), 2U);
  EXPECT_EQ(dispatcher_->flush_due(), std::nullopt);

  for (std::size_t id = 0; id < Dispatcher::kSettledTogether; ++id) settle(100 + id);
  EXPECT_EQ(flush_now(), Dispatcher::kSettledTogether) << "many do not wait";

  settle(3);
  EXPECT_EQ(flush_now(), 0U);
  router_->pin(0, "here", {0});
  ASSERT_EQ(offer(0, 4, "here").kind, Kind::kNothing);
  EXPECT_EQ(flush_now(), 1U) << "nor where a Keep goes anyway";
  settle(5);
  crash(0);
  EXPECT_EQ(dispatcher_->flush_due(), std::nullopt);
}

TEST_F(DispatcherTest, ASettledDoesNotWaitWherePlacesAreScarce) {
  const auto held_back = [this] {
    own(1, "k");
    const Dispatch out = offer(0, 1, "k");
    EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
    bool told = false;
    dispatcher_->flush(now_, [&](Slot, const Outbox& outbox) { told = !outbox.settled.empty(); });
    return !told;
  };
  EXPECT_TRUE(held_back()) << "no limit";
  constexpr auto kEnough = static_cast<std::uint32_t>(Dispatcher::kSettledTogether);
  set_up(3, kEnough + 10, 8, 3);
  workers_.report(0, 10, 10);
  EXPECT_TRUE(held_back());
  workers_.report(0, 11, 11);
  EXPECT_FALSE(held_back()) << "the origin is near its limit";
  set_up(3, 0, 8, 3);
  dispatcher_->set_settled_may_wait(false);
  EXPECT_FALSE(held_back()) << "those of a source are counted";
}

TEST_F(DispatcherTest, AClientThatIsRightWhereItIsIsKept) {
  EXPECT_EQ(offer(2, 7, "k").kind, Kind::kNothing);
  const Outbox told = flush(2);
  ASSERT_EQ(told.keeps.size(), 1U);
  EXPECT_EQ(told.keeps[0].handoff, 7U);
  EXPECT_EQ(told.keeps[0].epoch, router_->find(0, "k")->epoch);
  EXPECT_EQ(dispatcher_->unsettled(2), 0U) << "Keep is the verdict";
  EXPECT_EQ(dispatcher_->in_flight(), 1U);
  EXPECT_TRUE(dispatcher_->on_ack(2, told.keeps[0].delivery, now_));
  EXPECT_TRUE(flush(2).empty());
  expect_idle();
}

TEST_F(DispatcherTest, AcksOfForeignOrUnknownDeliveriesAreTold) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  EXPECT_FALSE(dispatcher_->on_ack(2, out.delivery, now_));
  EXPECT_FALSE(dispatcher_->on_nack(0, out.delivery));
  EXPECT_FALSE(dispatcher_->on_ack(1, out.delivery + 1, now_));
  EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
  EXPECT_FALSE(dispatcher_->on_ack(1, out.delivery, now_)) << "only once";
  EXPECT_FALSE(dispatcher_->on_nack(1, out.delivery));
}

TEST_F(DispatcherTest, ARefusedClientMayTryAgainElsewhere) {
  own(1, "k");
  const Dispatch first = offer(0, 7, "k");
  EXPECT_TRUE(dispatcher_->on_nack(1, first.delivery));
  expect_refusals(0, {{7, NackReason::kRetry}});
  expect_idle();
  EXPECT_EQ(offer(0, 8, "k", 1).kind, Kind::kNothing) << "kept: the owner said it is full";
  EXPECT_EQ(flush(0).keeps.at(0).epoch, 0U) << "the owner stays the owner";
}

TEST_F(DispatcherTest, TheFirstClientOfAKeyThatIsRefusedLeavesNoOwner) {
  workers_.report(0, 9, 9);
  for (int again = 0; again < 3; ++again) {
    const Dispatch out = offer(0, 7, "k");
    ASSERT_EQ(out.kind, Kind::kDeliver);
    EXPECT_TRUE(dispatcher_->on_nack(out.slot, out.delivery));
    EXPECT_EQ(router_->key_count(), 0U);
    workers_.clear_full(out.slot);
  }
}

TEST_F(DispatcherTest, AKeepThatFindsNobodyLeavesNoOwner) {
  offer(0, 7, "k");
  const Outbox told = flush(0);
  EXPECT_TRUE(dispatcher_->on_nack(0, told.keeps.at(0).delivery));
  EXPECT_TRUE(flush(0).empty()) << "it has had its verdict";
  EXPECT_EQ(router_->key_count(), 0U);
  expect_idle();
}

TEST_F(DispatcherTest, ADeliverThatCouldNotBeSentIsUndone) {
  workers_.report(0, 9, 9);
  const Dispatch out = offer(0, 7, "k");
  ASSERT_EQ(out.kind, Kind::kDeliver);
  dispatcher_->undo(out.delivery);
  expect_refusals(0, {{7, NackReason::kRetry}});
  expect_idle();
  EXPECT_EQ(router_->key_count(), 0U) << "the target never heard of it";
  dispatcher_->undo(out.delivery);
  EXPECT_TRUE(flush(0).empty());
}

TEST_F(DispatcherTest, ALostDescriptorIsTheOriginsStill) {
  EXPECT_EQ(offer(0, 7, "k", 0, false).kind, Kind::kNothing);
  expect_refusals(0, {{7, NackReason::kNoDescriptor}});
  EXPECT_EQ(dispatcher_->counters().descriptors_lost, 1U);
  expect_idle();
}

TEST_F(DispatcherTest, AttemptsAreBounded) {
  dispatcher_->set_max_attempts(3);
  EXPECT_EQ(offer(0, 7, "k", 3).kind, Kind::kNothing);
  expect_refusals(0, {{7, NackReason::kLoop}});
  offer(0, 8, "k", 2);
  EXPECT_EQ(flush(0).keeps.size(), 1U);
}

TEST_F(DispatcherTest, MoreThanTheWindowIsAViolation) {
  set_up(2, 0, 4, 2);
  own(1, "k");
  std::vector<Dispatch> sent;
  for (std::uint64_t id = 1; id <= 4; ++id) sent.push_back(offer(0, id, "k"));
  for (const Dispatch& out : sent) EXPECT_EQ(out.kind, Kind::kDeliver);
  const Dispatch fifth = offer(0, 5, "k");
  EXPECT_EQ(fifth.kind, Kind::kViolation);
  EXPECT_FALSE(fifth.why.empty());
  EXPECT_TRUE(dispatcher_->on_ack(1, sent[0].delivery, now_));
  EXPECT_EQ(offer(0, 6, "k").kind, Kind::kDeliver);
}

// --- waiting -------------------------------------------------------------------------------------

TEST_F(DispatcherTest, ClientsWaitForTheOwnersCreditInTheirOrder) {
  set_up(3, 0, 2, 3);
  own(2, "k");
  const Dispatch a = offer(0, 1, "k");
  const Dispatch b = offer(0, 2, "k");
  EXPECT_EQ(offer(1, 3, "k").kind, Kind::kNothing);
  EXPECT_EQ(offer(1, 4, "k").kind, Kind::kNothing);
  EXPECT_EQ(dispatcher_->waiting(), 2U);
  dispatcher_->wake_waiting(now_);
  EXPECT_TRUE(flush(1).empty());
  EXPECT_TRUE(dispatcher_->on_ack(2, a.delivery, now_));
  dispatcher_->wake_waiting(now_);
  expect_refusals(1, {{3, NackReason::kRetry}});
  EXPECT_TRUE(dispatcher_->on_ack(2, b.delivery, now_));
  dispatcher_->wake_waiting(now_);
  expect_refusals(1, {{4, NackReason::kRetry}});
  EXPECT_EQ(dispatcher_->unsettled(0), 0U);
  expect_idle();
}

TEST_F(DispatcherTest, NotMoreAreWokenThanTheCreditTakes) {
  set_up(5, 0, 4, 5);
  own(4, "k");
  const Dispatch first = offer(0, 1, "k");
  for (std::uint64_t id = 2; id <= 4; ++id) offer(0, id, "k");
  for (Slot origin = 1; origin < 4; ++origin) {
    for (std::uint64_t id = 0; id < 4; ++id) offer(origin, 10 * origin + id, "k");
  }
  ASSERT_EQ(dispatcher_->waiting(), 12U);
  EXPECT_TRUE(dispatcher_->on_ack(4, first.delivery, now_));
  dispatcher_->wake_waiting(now_);
  EXPECT_EQ(dispatcher_->waiting(), 11U);
}

TEST_F(DispatcherTest, ClientsWaitForRoomThatMayCome) {
  set_up(2, 1, 8, 3);
  workers_.report(0, 1, 1);
  workers_.report(1, 1, 1);
  offer(0, 1, "a");
  offer(1, 2, "b");
  offer(0, 3, "");
  EXPECT_EQ(dispatcher_->waiting(), 3U);
  dispatcher_->wake_waiting(now_);
  EXPECT_EQ(dispatcher_->waiting(), 3U);
  workers_.report(1, 0, 0);
  dispatcher_->wake_waiting(now_);
  expect_refusals(0, {{1, NackReason::kRetry}});
  EXPECT_EQ(dispatcher_->waiting(), 2U);
}

TEST_F(DispatcherTest, WithoutHopeClientsWaitForReportsThatAreOnTheirWay) {
  set_up(2, 1, 8, 2);
  workers_.report(0, 1, 1);
  workers_.report(1, 1, 1);
  offer(0, 1, "a");
  dispatcher_->wake_waiting(now_ + kReportLimit - Duration{1});
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  dispatcher_->wake_waiting(now_ + kReportLimit);
  expect_refusals(0, {{1, NackReason::kBusy}});
  expect_idle();
}

TEST_F(DispatcherTest, AReportOfRoomComesInTime) {
  set_up(2, 1, 8, 2);
  workers_.report(0, 1, 1);
  workers_.report(1, 1, 1);
  offer(0, 1, "a");
  offer(0, 2, "b");
  workers_.report(1, 0, 0);
  dispatcher_->wake_waiting(now_ + Duration{10});
  expect_refusals(0, {{1, NackReason::kRetry}});
  EXPECT_EQ(offer(0, 3, "a", 1).slot, 1);
  dispatcher_->wake_waiting(now_ + kReportLimit);
  expect_refusals(0, {{2, NackReason::kBusy}});
}

TEST_F(DispatcherTest, ThatAnOwnerIsFullMayBeOutOfDate) {
  set_up(2, 2, 8, 2);
  own(1, "k");
  rules_.overflow = Overflow::kRefuse;
  workers_.report(1, 2, 2);
  offer(0, 1, "k");
  offer(0, 2, "k");
  offer(0, 3, "k");
  dispatcher_->wake_waiting(now_);
  EXPECT_EQ(dispatcher_->waiting(), 3U) << "room at the other worker is of no use";
  workers_.report(1, 1, 1);
  dispatcher_->wake_waiting(now_);
  expect_refusals(0, {{1, NackReason::kRetry}});
  EXPECT_EQ(offer(0, 4, "k", 1).slot, 1);
  dispatcher_->wake_waiting(now_ + kReportLimit);
  expect_refusals(0, {{2, NackReason::kBusy}, {3, NackReason::kBusy}});
}

TEST_F(DispatcherTest, ThatAllPinnedWorkersAreFullMayBeOutOfDate) {
  set_up(3, 1, 8, 3);
  rules_.overflow = Overflow::kRefuse;
  router_->pin(0, "k", {1, 2});
  workers_.report(1, 1, 1);
  workers_.report(2, 1, 1);
  offer(0, 1, "k");
  dispatcher_->wake_waiting(now_);
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  workers_.report(2, 0, 0);
  dispatcher_->wake_waiting(now_);
  expect_refusals(0, {{1, NackReason::kRetry}});
  EXPECT_EQ(offer(0, 2, "k", 1).slot, 2);
}

TEST_F(DispatcherTest, DemandIsOfThoseWhomAnotherWorkerCouldTake) {
  set_up(2, 1, 8, 4);
  own(1, "k");
  workers_.report(0, 1, 1);
  workers_.report(1, 1, 1);
  rules_.overflow = Overflow::kRefuse;
  offer(0, 1, "k");
  offer(0, 2, "other");
  EXPECT_EQ(dispatcher_->waiting(), 2U);
  EXPECT_EQ(dispatcher_->demand(now_), 0U) << "a report of room may be on its way";
  EXPECT_EQ(dispatcher_->demand(now_ + kReportLimit), 1U);
}

TEST_F(DispatcherTest, AWorkerThatStaysDownIsWaitedForNoLonger) {
  set_up(2, 1, 8, 2);
  workers_.report(0, 1, 1);
  router_->pin(0, "k", {1});
  crash(1);
  offer(0, 1, "k");
  dispatcher_->wake_waiting(now_ + kReportLimit);
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  workers_.set_failing(1, true);
  dispatcher_->wake_waiting(now_ + kReportLimit);
  expect_refusals(0, {{1, NackReason::kBusy}});
  expect_idle();
}

TEST_F(DispatcherTest, WhenHopeEndsTheWaitingAreRefused) {
  set_up(2, 1, 8, 2);
  workers_.report(0, 1, 1);
  workers_.set_state(1, WorkerState::kStarting);
  offer(0, 1, "a");
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  workers_.set_state(1, WorkerState::kParked);
  dispatcher_->wake_waiting(now_ + kReportLimit);
  expect_refusals(0, {{1, NackReason::kBusy}});
  expect_idle();
}

TEST_F(DispatcherTest, WaitingIsBoundedInTime) {
  set_up(2, 1, 8, 2);
  workers_.report(0, 1, 1);
  workers_.set_state(1, WorkerState::kBackoff);
  offer(0, 1, "a");
  now_ += Duration{500};
  offer(0, 2, "a");
  dispatcher_->wake_waiting(kStart + kWaitLimit - Duration{1});
  EXPECT_EQ(dispatcher_->waiting(), 2U);
  EXPECT_EQ(dispatcher_->counters().waited_ms, 0U) << "they wait still";
  dispatcher_->wake_waiting(kStart + kWaitLimit);
  expect_refusals(0, {{1, NackReason::kBusy}});
  dispatcher_->wake_waiting(now_ + kWaitLimit);
  expect_refusals(0, {{2, NackReason::kBusy}});
  EXPECT_EQ(dispatcher_->counters().waited_ms, 2U * kWaitLimit.count());
  expect_idle();
}

TEST_F(DispatcherTest, AHungOwnerIsNotWaitedForLongerThanTheLimit) {
  set_up(3, 0, 1, 3);
  own(2, "k");
  offer(0, 1, "k");
  offer(1, 2, "k");
  dispatcher_->wake_waiting(kStart + kWaitLimit - Duration{1});
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  dispatcher_->wake_waiting(kStart + kWaitLimit);
  expect_refusals(1, {{2, NackReason::kBusy}});
}

TEST_F(DispatcherTest, APinnedWorkerThatStartsIsAwaitedWithoutUsingUpAttempts) {
  router_->pin(0, "k", {2});
  crash(2);
  offer(0, 1, "k");
  for (int turn = 0; turn < 100; ++turn) dispatcher_->wake_waiting(now_);
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  start(2);
  dispatcher_->wake_waiting(now_);
  expect_refusals(0, {{1, NackReason::kRetry}});
  EXPECT_EQ(offer(0, 2, "k", 1).slot, 2);
}

// --- workers that go -----------------------------------------------------------------------------

TEST_F(DispatcherTest, WhenTheTargetDiesItsClientsTryAgain) {
  own(1, "k");
  offer(0, 7, "k");
  offer(2, 8, "k");
  crash(1);
  expect_refusals(0, {{7, NackReason::kRetry}});
  expect_refusals(2, {{8, NackReason::kRetry}});
  EXPECT_EQ(router_->key_count(), 0U);
  expect_idle();
  EXPECT_NE(offer(0, 9, "k", 1).slot, 1);
}

TEST_F(DispatcherTest, AnAckAfterTheOriginsDeathIsOwedToNobody) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  crash(0);
  EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));  // before the slot has a new process
  flush_all();
  EXPECT_TRUE(told_.find(0) == told_.end()) << "nothing is sent to a worker that is gone";
  expect_idle();
  start(0);
  EXPECT_EQ(offer(0, 1, "k").kind, Kind::kDeliver) << "no violation";
}

TEST_F(DispatcherTest, ANackAfterTheOriginsDeathIsOwedToNobody) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  crash(0);
  EXPECT_TRUE(dispatcher_->on_nack(1, out.delivery));
  EXPECT_TRUE(flush(0).empty());
  expect_idle();
}

TEST_F(DispatcherTest, AnUndoAfterTheOriginsDeathIsOwedToNobody) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  crash(0);
  dispatcher_->undo(out.delivery);
  EXPECT_TRUE(flush(0).empty());
  expect_idle();
}

TEST_F(DispatcherTest, TheOriginsNextIncarnationGetsNothingOfTheOneBefore) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  crash(0);
  start(0);
  EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
  EXPECT_TRUE(flush(0).empty());
  expect_idle();
}

TEST_F(DispatcherTest, WhenTheOriginDiesBeforeItsTargetNobodyIsTold) {
  own(1, "k");
  offer(0, 7, "k");
  crash(0);
  crash(1);
  flush_all();
  EXPECT_TRUE(told_.empty() || (told_[0].empty() && told_[1].empty()));
  expect_idle();
}

TEST_F(DispatcherTest, AcksOfADeadTargetAreUnknown) {
  own(1, "k");
  const Dispatch out = offer(0, 7, "k");
  crash(1);
  start(1);
  EXPECT_FALSE(dispatcher_->on_ack(1, out.delivery, now_));
  expect_idle();
}

TEST_F(DispatcherTest, AKeepOnItsWayDiesWithItsWorker) {
  offer(0, 7, "k");
  crash(0);
  flush_all();
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(router_->key_count(), 0U);
  expect_idle();
}

TEST_F(DispatcherTest, WaitingClientsOfADeadOriginAreForgotten) {
  set_up(2, 0, 1, 2);
  own(1, "k");
  own(1, "other");
  const Dispatch out = offer(0, 1, "k");
  crash(0);
  start(0);
  offer(0, 2, "k");
  EXPECT_EQ(dispatcher_->waiting(), 1U);
  crash(0);
  EXPECT_EQ(dispatcher_->waiting(), 0U);
  EXPECT_TRUE(dispatcher_->on_ack(1, out.delivery, now_));
  dispatcher_->wake_waiting(now_);
  EXPECT_TRUE(flush(0).empty());
  expect_idle();
}

TEST_F(DispatcherTest, ThoseWhoWaitForAWorkerThatDiesComeAgain) {
  set_up(3, 0, 1, 3);
  own(2, "k");
  offer(0, 1, "k");
  offer(1, 2, "k");
  crash(2);
  dispatcher_->wake_waiting(now_);
  expect_refusals(0, {{1, NackReason::kRetry}});
  expect_refusals(1, {{2, NackReason::kRetry}});
  expect_idle();
}

TEST_F(DispatcherTest, ADrainingWorkerMayStillTakeWhatIsOnItsWay) {
  own(1, "k");
  const Dispatch taken = offer(0, 7, "k");
  const Dispatch refused = offer(2, 8, "k");
  workers_.set_state(1, WorkerState::kDraining);
  dispatcher_->worker_drains(1);
  EXPECT_EQ(router_->key_count(), 0U);
  const Dispatch next = offer(0, 9, "k");
  EXPECT_NE(next.slot, 1);
  EXPECT_TRUE(dispatcher_->on_ack(1, taken.delivery, now_));
  EXPECT_TRUE(dispatcher_->on_nack(1, refused.delivery));
  EXPECT_EQ(flush(0).settled, std::vector<std::uint64_t>{7});
  expect_refusals(2, {{8, NackReason::kRetry}});
  EXPECT_EQ(workers_.at(1).in_flight, 0U);
}

TEST_F(DispatcherTest, ThoseWhoWaitForAWorkerThatDrainsComeAgain) {
  set_up(3, 0, 1, 3);
  own(2, "k");
  const Dispatch out = offer(0, 1, "k");
  offer(1, 2, "k");
  workers_.set_state(2, WorkerState::kDraining);
  dispatcher_->worker_drains(2);
  dispatcher_->wake_waiting(now_);
  expect_refusals(1, {{2, NackReason::kRetry}});
  EXPECT_TRUE(dispatcher_->on_ack(2, out.delivery, now_));
  expect_idle();
}

TEST_F(DispatcherTest, APinChangedWhileClientsAreOnTheirWay) {
  own(1, "k");
  const Dispatch old = offer(0, 7, "k");
  ASSERT_EQ(router_->pin(0, "k", {2}).size(), 1U);
  const Dispatch now = offer(0, 8, "k");
  EXPECT_EQ(now.slot, 2);
  EXPECT_NE(now.epoch, old.epoch);
  EXPECT_TRUE(dispatcher_->on_ack(1, old.delivery, now_));
  EXPECT_TRUE(dispatcher_->on_ack(2, now.delivery, now_));
  EXPECT_EQ(router_->find(0, "k")->in_flight, 0U);
  EXPECT_EQ(router_->find(0, "k")->owner, 2);
  expect_idle();
}

TEST_F(DispatcherTest, AWorkerMayBeFoundGoneWhileItIsTold) {
  own(1, "k");
  own(0, "mine");
  const Dispatch a = offer(0, 1, "k");
  const Dispatch b = offer(2, 2, "k");
  const Dispatch c = offer(1, 3, "mine");
  EXPECT_TRUE(dispatcher_->on_ack(1, a.delivery, now_));
  EXPECT_TRUE(dispatcher_->on_ack(1, b.delivery, now_));
  std::vector<Slot> told;
  dispatcher_->flush(TimePoint::max(), [&](Slot slot, Outbox&) {
    told.push_back(slot);
    if (slot == 0) crash(0);
  });
  EXPECT_EQ(told, (std::vector<Slot>{0, 2}));
  EXPECT_EQ(c.kind, Kind::kDeliver);
  expect_refusals(1, {{3, NackReason::kRetry}});
  expect_idle();
}

TEST_F(DispatcherTest, WhatIsStillHereIsNotOverdue) {
  own(1, "k");
  ASSERT_EQ(offer(0, 7, "k").kind, Kind::kDeliver);
  const auto held_up = [](Slot slot) { return slot == 1; };
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(dispatcher_->tick(2, held_up).empty());
  EXPECT_TRUE(dispatcher_->tick(2).empty());
  EXPECT_TRUE(dispatcher_->tick(2).empty());
  EXPECT_EQ(dispatcher_->tick(2), std::vector<Slot>{1});
}

}  // namespace
}  // namespace mpb
