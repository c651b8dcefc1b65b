#include "broker/dispatch/cell_set.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/isolating_parts.hpp"

namespace mpb {
namespace {

using Kind = CellPlace::Kind;
using std::chrono::milliseconds;

constexpr Slot kMost = 8;

class CellSetTest : public testing::Test, protected test::CellParts {
 protected:
  CellSetTest() : CellParts(kMost) {
    cell_rules_.linger = Duration{5'000};
    cells_.set_rules(cell_rules_);
  }

  void spares(std::size_t count) {
    cell_rules_.spares = count;
    cells_.set_rules(cell_rules_);
  }
  CellPlace key(const std::string& name, bool again = false) {
    return cells_.place_key(std::string("\1\0", 2) + name, again, now_);
  }
  CellPlace client(bool again = false) {
    return cells_.place_client(std::string("\1\0", 2), again, now_);
  }
  /// Starts what is to start; returns the slots.
  std::vector<Slot> start() {
    const std::vector<Slot> slots = cells_.to_start(now_);
    for (const Slot slot : slots) workers_.begin_incarnation(slot);
    return slots;
  }
  void online(Slot slot) {
    workers_.set_state(slot, WorkerState::kOnline);
    cells_.on_online(slot, now_);
  }
  std::vector<Slot> start_to_the_end() {
    const std::vector<Slot> slots = start();
    for (const Slot slot : slots) online(slot);
    return slots;
  }
  /// How long its key backs off.
  std::optional<Duration> gone(Slot slot, bool as_told, bool was_ready = true) {
    workers_.set_state(slot, WorkerState::kStopped);
    const auto backs_off = cells_.on_gone(slot, {as_told, was_ready, Duration{0}}, now_, random_);
    return backs_off ? std::optional(backs_off->left) : std::nullopt;
  }
  /// Keys that begin with '!' have cells that are apart.
  void keep_some_apart() {
    cells_.keep_apart([](const std::string& name) { return parse_key_name(name).key[0] == '!'; });
  }
  /// A cell that is online and has its key, and so many clients.
  Slot serve(const std::string& name, std::uint32_t clients) {
    const Slot slot = key(name).slot;
    start_to_the_end();
    EXPECT_EQ(key(name).kind, Kind::kTo);
    cells_.on_route(slot);
    workers_.report(slot, clients, clients);
    return slot;
  }
  void pass(Duration time) {
    now_ += time;
    cells_.tick(now_);
  }

  std::mt19937_64 random_{1};
};

TEST_F(CellSetTest, AKeysFirstClientStartsItsCellAndTheOthersWaitForIt) {
  const CellPlace first = key("a");
  EXPECT_EQ(first.kind, Kind::kComing);
  EXPECT_EQ(first.slot, kMost - 1) << "from above: extra workers come from below";
  EXPECT_EQ(key("a").slot, first.slot);
  EXPECT_NE(key("b").slot, first.slot);
  EXPECT_EQ(start(), (std::vector<Slot>{kMost - 1, kMost - 2}));
  EXPECT_EQ(key("a").kind, Kind::kComing);
  online(first.slot);
  EXPECT_EQ(key("a").kind, Kind::kTo);
  EXPECT_EQ(key("a").slot, first.slot);
  EXPECT_EQ(cells_.role(first.slot), CellRole::kKey);
  EXPECT_EQ(parse_key_name(cells_.name(first.slot)).key, "a");
}

TEST_F(CellSetTest, ASpareOneIsTakenAtOnceAndReplacedOnceItHasItsClient) {
  spares(1);
  const Slot spare = start_to_the_end().at(0);
  EXPECT_EQ(cells_.role(spare), CellRole::kSpare);
  EXPECT_TRUE(start().empty());
  const CellPlace place = key("a");
  EXPECT_EQ(place.kind, Kind::kTo);
  EXPECT_EQ(place.slot, spare);
  EXPECT_TRUE(start().empty()) << "before the Ack";
  cells_.on_taken(spare);
  EXPECT_EQ(start().size(), 1U);
  EXPECT_EQ(cells_.counters().from_spare, 1U);
}

TEST_F(CellSetTest, NotMoreStartAtOnceThanTheRulesSay) {
  cell_rules_.at_once = 2;
  cells_.set_rules(cell_rules_);
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(key(name).kind, Kind::kComing);
  const auto first = start();
  EXPECT_EQ(first.size(), 2U);
  EXPECT_TRUE(start().empty());
  online(first[0]);
  EXPECT_EQ(start().size(), 1U);
  gone(first[1], false, false);
  EXPECT_EQ(start().size(), 1U);
}

TEST_F(CellSetTest, NobodyGetsOneBeyondTheMaximum) {
  for (int i = 0; i < kMost - kBase; ++i) EXPECT_EQ(key(std::to_string(i)).kind, Kind::kComing);
  EXPECT_EQ(key("more").kind, Kind::kNone);
  EXPECT_EQ(client().kind, Kind::kNone);
  EXPECT_EQ(cells_.counters().overflowed, 2U);
  for (int i = 0; i < kMost - kBase; ++i) start_to_the_end();
  cells_.on_route(key("0").slot);
  cells_.on_route_gone(key("0").slot, true);
  EXPECT_EQ(key("more").kind, Kind::kWait) << "one is about to end";
}

TEST_F(CellSetTest, ACellWhoseKeyIsIdleEndsAndServesNoOther) {
  const Slot slot = key("a").slot;
  start_to_the_end();
  ASSERT_EQ(key("a").kind, Kind::kTo);
  cells_.on_route(slot);
  EXPECT_TRUE(cells_.take_ending().empty());
  cells_.on_route_gone(slot, true);
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{slot});
  EXPECT_NE(key("a").slot, slot) << "its next clients get another one";
  EXPECT_FALSE(gone(slot, true));
  EXPECT_FALSE(workers_.is_cell(slot));
  EXPECT_EQ(cells_.counters().crashed, 0U);
}

TEST_F(CellSetTest, ACellThatNobodyComesToEnds) {
  const Slot slot = key("a").slot;
  start_to_the_end();
  pass(milliseconds(1'900));
  EXPECT_TRUE(cells_.take_ending().empty());
  pass(milliseconds(200));
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{slot});
}

TEST_F(CellSetTest, OneThatWaitsForItsStartInVainIsGivenUp) {
  cell_rules_.at_once = 0;
  cell_rules_.client_wait = Duration{8'000};
  cells_.set_rules(cell_rules_);
  const Slot slot = key("a").slot;
  pass(milliseconds(8'500));
  EXPECT_TRUE(workers_.is_cell(slot));
  pass(milliseconds(1'000));
  EXPECT_FALSE(workers_.is_cell(slot));
  EXPECT_EQ(workers_.at(slot).state, WorkerState::kStopped);
}

TEST_F(CellSetTest, AKeyThatKeepsCrashingBacksOffAlone) {
  const auto crash = [this](const std::string& name) {
    const Slot slot = key(name).slot;
    start_to_the_end();
    EXPECT_EQ(key(name).kind, Kind::kTo);
    return gone(slot, false);
  };
  EXPECT_EQ(crash("bad"), Duration{0}) << "a first crash costs nothing";
  EXPECT_GE(crash("bad").value(), Duration{100});
  EXPECT_EQ(key("bad").kind, Kind::kBackoff);
  EXPECT_EQ(cells_.counters().refused, 1U);
  EXPECT_EQ(key("good").kind, Kind::kComing);
  pass(milliseconds(1'000));
  EXPECT_GE(crash("bad").value(), Duration{200});
  EXPECT_EQ(cells_.crashes().size(), 1U);
  pass(milliseconds(20'000));
  EXPECT_EQ(cells_.crashes().size(), 0U) << "forgotten once it has settled";
  EXPECT_EQ(crash("bad"), Duration{0});
}

TEST_F(CellSetTest, AKeyThatCrashesTooOftenIsClosedForAWhile) {
  cell_rules_.close = {2, Duration{60'000}};
  cells_.set_rules(cell_rules_);
  const auto crash = [this](const std::string& name) {
    const Slot slot = key(name).slot;
    start_to_the_end();
    EXPECT_EQ(key(name).kind, Kind::kTo);
    return gone(slot, false);
  };
  EXPECT_EQ(crash("bad"), Duration{0});
  EXPECT_EQ(crash("bad"), Duration{60'000});
  pass(milliseconds(59'000));
  EXPECT_EQ(key("bad").kind, Kind::kBackoff);
  EXPECT_EQ(key("good").kind, Kind::kComing);
  pass(milliseconds(1'000));
  EXPECT_EQ(crash("bad"), Duration{0}) << "its count begins anew";
  EXPECT_EQ(crash("bad"), Duration{60'000});
  cells_.reopen();
  EXPECT_EQ(key("bad").kind, Kind::kComing);
}

TEST_F(CellSetTest, AKeyWhoseCellIsApartGetsNoSpareOne) {
  keep_some_apart();
  spares(2);
  start_to_the_end();
  const CellPlace place = key("!a");
  EXPECT_EQ(place.kind, Kind::kComing);
  EXPECT_EQ(cells_.counters().spare, 2U);
  EXPECT_EQ(start(), std::vector<Slot>{place.slot});
  EXPECT_EQ(parse_key_name(cells_.name(place.slot)).key, "!a");
  online(place.slot);
  EXPECT_EQ(key("!a").kind, Kind::kTo);
  EXPECT_EQ(key("b").kind, Kind::kTo) << "another key gets a spare one";
}

TEST_F(CellSetTest, ASpareOneMakesWayWhereThereIsNoOtherSlot) {
  keep_some_apart();
  spares(kMost - kBase);
  for (int i = 0; i < kMost; ++i) start_to_the_end();
  ASSERT_EQ(cells_.counters().spare, std::size_t{kMost - kBase});
  const CellPlace place = key("!a");
  EXPECT_EQ(place.kind, Kind::kComing);
  EXPECT_EQ(cells_.take_evicted(), std::vector<Slot>{place.slot});
  EXPECT_FALSE(workers_.online(place.slot));
  EXPECT_TRUE(workers_.coming(place.slot)) << "who waits for it waits on";
  EXPECT_EQ(key("!a").slot, place.slot);
  EXPECT_EQ(key("!a").kind, Kind::kComing);
  EXPECT_TRUE(start().empty());
  EXPECT_FALSE(gone(place.slot, true));
  EXPECT_EQ(start(), std::vector<Slot>{place.slot}) << "for the key, not as a spare one";
  online(place.slot);
  EXPECT_EQ(key("!a").kind, Kind::kTo);
  EXPECT_EQ(cells_.role(place.slot), CellRole::kKey);
}

TEST_F(CellSetTest, WhoseCellIsApartIsNeverShared) {
  keep_some_apart();
  for (int i = 0; i < kMost - kBase; ++i) EXPECT_EQ(key(std::to_string(i)).kind, Kind::kComing);
  EXPECT_EQ(key("!a").kind, Kind::kNone);
  EXPECT_TRUE(key("!a").apart);
  EXPECT_FALSE(key("more").apart);
}

TEST_F(CellSetTest, AnOldCellEndsAsSoonAsItIsEmpty) {
  cell_rules_.rollover = {{1, Duration{60'000}}};
  cells_.set_rules(cell_rules_);
  const Slot slot = serve("a", 1);
  pass(milliseconds(59'000));
  workers_.report(slot, 0, 0);
  EXPECT_TRUE(cells_.end_old().empty()) << "it is young";
  workers_.report(slot, 1, 1);
  pass(milliseconds(1'000));
  EXPECT_TRUE(cells_.end_old().empty()) << "it has a client";
  workers_.report(slot, 0, 0);
  workers_.add_in_flight(slot);
  EXPECT_TRUE(cells_.end_old().empty()) << "one is on its way";
  workers_.remove_in_flight(slot);
  EXPECT_EQ(cells_.end_old(), std::vector<Slot>{slot});
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{slot});
  EXPECT_TRUE(cells_.end_old().empty());
  EXPECT_NE(key("a").slot, slot);
  EXPECT_EQ(cells_.counters().renewed, 1U);
}

TEST_F(CellSetTest, CellsOfOtherSpacesDoNotGrowOld) {
  cell_rules_.rollover = {{2, Duration{1'000}}};
  cells_.set_rules(cell_rules_);
  serve("a", 0);
  pass(milliseconds(60'000));
  EXPECT_TRUE(cells_.end_old().empty());
}

TEST_F(CellSetTest, SparesThatFailPutOffOtherStarts) {
  spares(1);
  const Slot spare = start().at(0);
  gone(spare, false, false);
  EXPECT_TRUE(start().empty());
  pass(milliseconds(200));
  EXPECT_EQ(start().size(), 1U);
}

TEST_F(CellSetTest, SparesThatCrashOnceTheyAreReadyPutOffOtherStartsToo) {
  spares(1);
  gone(start_to_the_end().at(0), false);
  gone(start_to_the_end().at(0), false);
  EXPECT_TRUE(start().empty()) << "that one came online is no sign that it is well";
  pass(milliseconds(300));
  const Slot spare = start_to_the_end().at(0);
  key("a");
  cells_.on_taken(spare);
  gone(start_to_the_end().at(0), false);
  EXPECT_EQ(start().size(), 1U) << "one has served since";
}

TEST_F(CellSetTest, ACellThatEndsUnaskedHasFailed) {
  spares(1);
  for (int i = 0; i < 2; ++i) {
    const Slot spare = start_to_the_end().at(0);
    workers_.set_state(spare, WorkerState::kDraining);
    cells_.on_draining(spare);
    gone(spare, false);
  }
  EXPECT_TRUE(start().empty());
  EXPECT_EQ(cells_.counters().crashed, 2U);
}

TEST_F(CellSetTest, OneThatCrashesAfterItWasToldToEndIsCounted) {
  const Slot slot = key("a").slot;
  start_to_the_end();
  cells_.on_route(slot);
  cells_.on_route_gone(slot, true);
  gone(slot, false);
  EXPECT_EQ(cells_.counters().crashed, 1U);
}

TEST_F(CellSetTest, WithoutAProcessNoKeyKeepsASlotNorWaits) {
  cell_rules_.at_once = 1;
  cells_.set_rules(cell_rules_);
  const Slot first = key("a").slot;
  const Slot second = key("b").slot;
  EXPECT_EQ(start(), std::vector<Slot>{first});
  cells_.on_start_failed(first, now_, random_);
  for (const Slot slot : {first, second}) {
    EXPECT_FALSE(workers_.is_cell(slot)) << slot;
    EXPECT_EQ(workers_.at(slot).state, WorkerState::kStopped) << slot;
  }
  EXPECT_EQ(key("a").kind, Kind::kNone) << "others may serve it";
  EXPECT_EQ(client().kind, Kind::kNone);
  EXPECT_EQ(cells_.places(now_), 0U);
  EXPECT_TRUE(cells_.take_given().empty()) << "nobody got one";
  pass(milliseconds(200));
  EXPECT_EQ(key("a").kind, Kind::kComing);
  EXPECT_EQ(start().size(), 1U);
}

TEST_F(CellSetTest, ACellThatEndsLetsAnotherStartWhereTheSystemGaveNone) {
  spares(1);
  const Slot slot = start_to_the_end().at(0);
  key("a");
  cells_.on_taken(slot);
  cells_.on_start_failed(start().at(0), now_, random_);
  EXPECT_TRUE(start().empty());
  gone(slot, true);
  EXPECT_EQ(start().size(), 1U);
}

TEST_F(CellSetTest, WhatIsQueuedAndHasNoPlaceUnderOtherRulesIsGivenUp) {
  cell_rules_.at_once = 0;
  cells_.set_rules(cell_rules_);
  const Slot highest = key("a").slot;
  const Slot next = key("b").slot;
  cell_rules_.maximum = highest;
  cells_.set_rules(cell_rules_);
  EXPECT_FALSE(workers_.is_cell(highest));
  EXPECT_TRUE(workers_.is_cell(next));
  EXPECT_EQ(key("a").slot, next - 1);
  cell_rules_.wanted = false;
  cells_.set_rules(cell_rules_);
  EXPECT_EQ(workers_.cells(), 0U);
}

TEST_F(CellSetTest, AsManyWaitAsCellsAreAboutToEndAndNotForLong) {
  for (int i = 0; i < kMost - kBase; ++i) {
    key(std::to_string(i));
    start_to_the_end();
  }
  const Slot slot = key("0").slot;
  cells_.on_route(slot);
  cells_.on_route_gone(slot, true);
  for (int i = 1; i < kMost - kBase; ++i) cells_.on_route(key(std::to_string(i)).slot);
  EXPECT_EQ(key("more").kind, Kind::kWait);
  cells_.set_waiting(1);
  EXPECT_EQ(key("others").kind, Kind::kNone) << "there is one place";
  EXPECT_EQ(cells_.places(now_), 1U);
  pass(milliseconds(100));
  pass(milliseconds(1'900));
  EXPECT_EQ(cells_.places(now_), 1U);
  pass(milliseconds(100));
  EXPECT_EQ(cells_.places(now_), 0U) << "it does not end";
  EXPECT_EQ(key("more").kind, Kind::kNone);
  gone(slot, true);
  EXPECT_EQ(key("more").kind, Kind::kComing);
}

TEST_F(CellSetTest, ClientsWhoWaitGetWhatWasStartedForThem) {
  EXPECT_EQ(client().kind, Kind::kWait);
  cells_.set_waiting(1);
  const Slot slot = start_to_the_end().at(0);
  EXPECT_EQ(cells_.unpromised(), 1U);
  cells_.promise(now_);
  cells_.set_waiting(0);
  EXPECT_EQ(client().kind, Kind::kWait) << "it is promised to another";
  const CellPlace place = client(true);
  EXPECT_EQ(place.kind, Kind::kTo);
  EXPECT_EQ(place.slot, slot);
  EXPECT_EQ(cells_.role(slot), CellRole::kClient);
  EXPECT_FALSE(gone(slot, false)) << "no key: nobody backs off";
  EXPECT_EQ(cells_.counters().crashed, 1U);
}

TEST_F(CellSetTest, APromiseThatNobodyTakesUpIsForgotten) {
  spares(1);
  start_to_the_end();
  cells_.promise(now_);
  EXPECT_EQ(cells_.unpromised(), 0U);
  pass(milliseconds(600));
  EXPECT_EQ(cells_.unpromised(), 1U);
}

TEST_F(CellSetTest, SparesBeyondTheRulesEndAfterAWhile) {
  spares(3);
  EXPECT_EQ(start_to_the_end().size(), 3U);
  spares(1);
  pass(milliseconds(100));
  EXPECT_TRUE(cells_.take_ending().empty());
  pass(cell_rules_.linger);
  EXPECT_EQ(cells_.take_ending().size(), 2U);
  cell_rules_.wanted = false;
  cells_.set_rules(cell_rules_);
  pass(milliseconds(100));
  EXPECT_EQ(cells_.take_ending().size(), 1U) << "nobody isolates";
}

TEST_F(CellSetTest, AKeyWhoseCellDrainsGetsAnotherOne) {
  const Slot slot = key("a").slot;
  start_to_the_end();
  workers_.set_state(slot, WorkerState::kDraining);
  cells_.on_draining(slot);
  const CellPlace place = key("a");
  EXPECT_EQ(place.kind, Kind::kComing);
  EXPECT_NE(place.slot, slot);
  gone(slot, false);
  EXPECT_EQ(key("a").slot, place.slot);
}

TEST_F(CellSetTest, WhoGotWhatIsToldOnce) {
  const Slot slot = key("a").slot;
  EXPECT_TRUE(cells_.take_given().empty()) << "it has no process";
  start();
  gone(slot, false);
  const auto given = cells_.take_given();
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].slot, slot);
  EXPECT_EQ(parse_key_name(given[0].name).key, "a") << "though it is gone";
  EXPECT_TRUE(cells_.take_given().empty());
}

}  // namespace
}  // namespace mpb
