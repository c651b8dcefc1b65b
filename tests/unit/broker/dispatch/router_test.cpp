#include "broker/dispatch/router.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mpb {
namespace {

using Kind = RouteDecision::Kind;

constexpr std::uint16_t kSpace = 1;

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    rules_.space = kSpace;
    set_up(4, 0, 1000);
  }

  void set_up(std::size_t count, std::uint32_t soft_limit, std::uint32_t window,
              std::size_t max_keys = 100'000) {
    workers_ = WorkerTable(soft_limit, window);
    workers_.resize(count);
    for (Slot slot = 0; slot < count; ++slot) {
      workers_.begin_incarnation(slot);
      workers_.set_state(slot, WorkerState::kOnline);
    }
    router_.emplace(workers_, max_keys, 42);
  }

  RouteDecision decide(std::string_view key, Slot origin = 0) {
    return router_->decide({origin, key, &rules_});
  }
  /// Decides and counts the client there as the dispatcher does.
  RouteDecision send(std::string_view key, Slot origin = 0) {
    const RouteDecision decision = decide(key, origin);
    if (decision.kind != Kind::kTo) return decision;
    workers_.add_in_flight(decision.slot);
    if (decision.route != nullptr) ++decision.route->in_flight;
    return decision;
  }
  void arrive(const RouteDecision& decision) {
    workers_.remove_in_flight(decision.slot);
    if (decision.route == nullptr) return;
    --decision.route->in_flight;
    decision.route->held = true;
  }
  void load(Slot slot, std::uint32_t clients) { workers_.report(slot, clients, clients); }

  WorkerTable workers_{0, 0};
  std::optional<Router> router_;
  RoutingRules rules_;
};

TEST_F(RouterTest, AnOwnerKeepsItsKeyHoweverLoaded) {
  const RouteDecision first = decide("k", 2);
  ASSERT_EQ(first.kind, Kind::kTo);
  EXPECT_EQ(first.slot, 2);
  load(2, 1'000);
  for (Slot origin = 0; origin < 4; ++origin) {
    const RouteDecision next = decide("k", origin);
    EXPECT_EQ(next.slot, 2);
    EXPECT_EQ(next.route, first.route);
  }
}

TEST_F(RouterTest, TheKeysAreSharedAmongThoseThatNameThem) {
  constexpr std::size_t kMost = 100;
  const auto named = [this](std::size_t origins) {
    set_up(4, 0, 1000, kMost);
    router_->set_origins(origins);
    for (std::size_t i = 0; i < 2 * kMost; ++i) {
      decide("k" + std::to_string(i), static_cast<Slot>(i % 2));
    }
    return router_->key_count();
  };
  EXPECT_EQ(named(2), kMost) << "slots 0 and 1 are all that accept";
  EXPECT_LT(named(4), kMost) << "2 and 3 have a share, too";
}

TEST_F(RouterTest, OneKeyInTwoSpacesIsTwoKeys) {
  decide("k", 1);
  rules_.space = 2;
  EXPECT_EQ(decide("k", 3).slot, 3);
  EXPECT_EQ(router_->key_count(), 2U);
  EXPECT_EQ(router_->find(1, "k")->owner, 1);
  EXPECT_EQ(router_->find(2, "k")->owner, 3);
  EXPECT_EQ(router_->find(3, "k"), nullptr);
}

TEST_F(RouterTest, EpochsAreNeverZeroAndNeverTheSame) {
  std::set<std::uint32_t> epochs;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i % 10);
    const RouteDecision decision = decide(key);
    EXPECT_NE(decision.route->epoch, 0U);
    EXPECT_TRUE(epochs.insert(decision.route->epoch).second);
    router_->release(decision.slot, kSpace, key, decision.route->epoch);
  }
}

TEST_F(RouterTest, RoutesStayWhereTheyAreInMemory) {
  Route* const route = decide("k").route;
  for (int i = 0; i < 10'000; ++i) decide("other" + std::to_string(i));
  EXPECT_EQ(decide("k").route, route);
}

TEST_F(RouterTest, ReleaseIsForThisOwnershipOnly) {
  const RouteDecision decision = decide("k", 1);
  const std::uint32_t epoch = decision.route->epoch;
  router_->release(2, kSpace, "k", epoch);
  router_->release(1, kSpace, "k", epoch + 1);
  router_->release(1, kSpace + 1, "k", epoch);
  router_->release(1, kSpace, "other", epoch);
  EXPECT_EQ(router_->key_count(), 1U);
  router_->release(1, kSpace, "k", epoch);
  EXPECT_EQ(router_->key_count(), 0U);
  EXPECT_EQ(decide("k", 3).slot, 3) << "free for anybody again";
}

TEST_F(RouterTest, ReleaseIsPutOffWhileClientsAreOnTheirWay) {
  const RouteDecision first = send("k", 1);
  const std::uint32_t epoch = first.route->epoch;
  arrive(first);
  const RouteDecision second = send("k", 0);
  router_->release(1, kSpace, "k", epoch);
  ASSERT_EQ(router_->key_count(), 1U);
  EXPECT_EQ(decide("k", 3).slot, 1);
  arrive(second);
  router_->release(1, kSpace, "k", epoch);
  EXPECT_EQ(router_->key_count(), 0U);
}

TEST_F(RouterTest, AKeyWhoseFirstClientWasNotTakenIsNobodys) {
  const RouteDecision decision = send("k", 1);
  --decision.route->in_flight;
  router_->not_taken(*decision.route);
  EXPECT_EQ(router_->key_count(), 0U);
}

TEST_F(RouterTest, AKeyThatWasGivenUpWhileItsLastClientWasNotTakenIsNobodys) {
  const RouteDecision first = send("k", 1);
  arrive(first);
  const RouteDecision second = send("k", 1);
  router_->release(1, kSpace, "k", first.route->epoch);
  --second.route->in_flight;
  router_->not_taken(*second.route);
  EXPECT_EQ(router_->key_count(), 0U);
}

TEST_F(RouterTest, AHeldKeyStaysWhenAClientIsNotTaken) {
  arrive(send("k", 1));
  const RouteDecision second = send("k", 0);
  --second.route->in_flight;
  router_->not_taken(*second.route);
  EXPECT_EQ(router_->key_count(), 1U);
}

TEST_F(RouterTest, AWorkerThatIsGoneOwnsNothing) {
  decide("a", 1);
  decide("b", 1);
  decide("c", 2);
  EXPECT_EQ(router_->keys_of(1), 2U);
  workers_.set_state(1, WorkerState::kBackoff);
  router_->forget_owner(1);
  EXPECT_EQ(router_->keys_of(1), 0U);
  EXPECT_EQ(router_->keys_of(2), 1U);
  EXPECT_NE(decide("a", 3).slot, 1);
}

TEST_F(RouterTest, AKeyThatAPinTookAwayIsNoMoreAmongItsOwners) {
  arrive(send("b", 1));
  const RouteDecision on_its_way = send("a", 1);
  ASSERT_EQ(router_->pin(kSpace, "a", {2}).size(), 1U);
  EXPECT_EQ(router_->keys_of(1), 1U);
  EXPECT_EQ(decide("a", 0).slot, 2);
  router_->forget_owner(1);
  EXPECT_EQ(router_->keys_of(1), 0U);
  EXPECT_EQ(router_->find(kSpace, "a")->owner, 2);
  EXPECT_EQ(router_->find(kSpace, "b"), nullptr);
  EXPECT_EQ(on_its_way.slot, 1);
}

TEST_F(RouterTest, WithoutStickinessNobodyOwns) {
  rules_.sticky = false;
  const RouteDecision decision = decide("k", 1);
  EXPECT_EQ(decision.slot, 1);
  EXPECT_EQ(decision.route, nullptr);
  EXPECT_EQ(router_->key_count(), 0U);
}

TEST_F(RouterTest, AClientWithoutAKeyGoesToTheLeastLoadedWhateverThePolicy) {
  for (const Policy policy : {Policy::kLeast, Policy::kHash, Policy::kP2c, Policy::kLocal}) {
    rules_.policy = policy;
    load(0, 5);
    load(1, 5);
    load(2, 1);
    load(3, 5);
    const RouteDecision decision = decide("", 0);
    EXPECT_EQ(decision.slot, 2);
    EXPECT_EQ(decision.route, nullptr);
  }
}

TEST_F(RouterTest, TheTableIsBounded) {
  set_up(2, 0, 10, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(decide(std::to_string(i)).kind, Kind::kTo);
  EXPECT_EQ(decide("3").kind, Kind::kBusy);
  EXPECT_EQ(decide("0").kind, Kind::kTo) << "known keys are served on";
  EXPECT_EQ(decide("").kind, Kind::kTo) << "and so are clients without one";
  rules_.sticky = false;
  EXPECT_EQ(decide("3").kind, Kind::kTo);
  rules_.sticky = true;
  const Route* route = router_->find(kSpace, "0");
  router_->release(route->owner, kSpace, "0", route->epoch);
  EXPECT_EQ(decide("3").kind, Kind::kTo);
}

TEST_F(RouterTest, NoOwnerTakesTheKeysOfTheOthers) {
  set_up(4, 0, 1'000, 400);
  rules_.policy = Policy::kLocal;
  const auto own_many = [this](Slot slot, std::size_t wanted) {
    for (std::size_t i = 0; i < wanted; ++i) {
      decide("of " + std::to_string(slot) + " " + std::to_string(i), slot);
    }
    return router_->keys_of(slot);
  };
  EXPECT_EQ(own_many(1, 1'000), 200U) << "half, as long as nobody else needs them";
  for (const Slot slot : {Slot{0}, Slot{2}}) EXPECT_EQ(own_many(slot, 100), 100U);
  EXPECT_EQ(decide("another", 3).kind, Kind::kBusy);
  router_->forget_owner(1);
  EXPECT_EQ(router_->key_count(), 200U);
  EXPECT_EQ(own_many(3, 100), 100U);
}

TEST_F(RouterTest, NobodyNamesAllKeysForOthersToOwn) {
  set_up(4, 0, 10'000, 400);
  std::size_t named = 0;
  for (int i = 0; i < 1'000; ++i) {
    if (send("of 1, " + std::to_string(i), 1).kind == Kind::kTo) ++named;
  }
  EXPECT_EQ(named, 200U);
  EXPECT_EQ(send("another", 2).kind, Kind::kTo);
}

TEST_F(RouterTest, LongKeysCountForMore) {
  set_up(1, 0, 1'000, 100);
  std::size_t bytes = 0;
  for (int i = 0;; ++i) {
    const std::string key = std::to_string(i) + std::string(1'000, 'k');
    if (decide(key).kind != Kind::kTo) break;
    bytes += key.size();
  }
  EXPECT_LE(bytes, 100U * 128 + 1'024);
  EXPECT_GE(bytes, 100U * 64);
  router_->forget_owner(0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(decide(std::to_string(i)).kind, Kind::kTo);
  EXPECT_EQ(decide("another").kind, Kind::kBusy);
}

TEST_F(RouterTest, AWorkerThatSaysNobodyIsThereDoesNotGetAllClients) {
  set_up(4, 0, 1'000);
  for (int i = 0; i < 400; ++i) {
    const RouteDecision to = send("k" + std::to_string(i));
    arrive(to);
    workers_.note_taken(to.slot);
    load(to.slot, to.slot == 2 ? 0 : workers_.at(to.slot).clients + 1);
  }
  EXPECT_LE(workers_.at(2).taken, 120U);
}

// --- policies ------------------------------------------------------------------------------------

TEST_F(RouterTest, LeastDiffersByAtMostOne) {
  for (int i = 0; i < 1'001; ++i) {
    send("k" + std::to_string(i), static_cast<Slot>(i * 7 % 4));
    std::uint32_t low = UINT32_MAX;
    std::uint32_t high = 0;
    for (Slot slot = 0; slot < 4; ++slot) {
      low = std::min(low, workers_.load(slot));
      high = std::max(high, workers_.load(slot));
    }
    ASSERT_LE(high - low, 1U);
  }
}

TEST_F(RouterTest, LeastPrefersTheOriginAmongEquals) {
  for (Slot origin = 0; origin < 4; ++origin) {
    EXPECT_EQ(decide(std::to_string(origin), origin).slot, origin);
  }
  load(3, 1);
  EXPECT_EQ(decide("k", 3).slot, 0);
}

TEST_F(RouterTest, LocalIsTheOriginUnlessItIsFull) {
  set_up(3, 10, 100);
  rules_.policy = Policy::kLocal;
  load(2, 9);
  EXPECT_EQ(decide("a", 2).slot, 2);
  load(2, 10);
  load(0, 1);
  EXPECT_EQ(decide("b", 2).slot, 1);
}

TEST_F(RouterTest, HashSpreadsEvenly) {
  rules_.policy = Policy::kHash;
  rules_.sticky = false;
  constexpr int kKeys = 8'000;
  for (const char* prefix : {"", "room/", "vhost.example.org/"}) {
    std::map<Slot, int> shares;
    for (int i = 0; i < kKeys; ++i) ++shares[decide(prefix + std::to_string(i)).slot];
    ASSERT_EQ(shares.size(), 4U);
    for (const auto& [slot, share] : shares) {
      EXPECT_NEAR(share, kKeys / 4, 160) << "4 standard deviations; slot " << slot;
    }
  }
}

TEST_F(RouterTest, HashDependsOnNeitherOriginNorLoadNorSeed) {
  rules_.policy = Policy::kHash;
  rules_.sticky = false;
  std::map<std::string, Slot> before;
  for (int i = 0; i < 100; ++i) before[std::to_string(i)] = decide(std::to_string(i)).slot;
  router_.emplace(workers_, 1'000, 4711);
  load(0, 500);
  for (const auto& [key, slot] : before) EXPECT_EQ(decide(key, 3).slot, slot);
}

TEST_F(RouterTest, HashMovesOnlyTheKeysOfAWorkerThatLeavesOrComes) {
  rules_.policy = Policy::kHash;
  rules_.sticky = false;
  std::map<std::string, Slot> before;
  for (int i = 0; i < 2'000; ++i) before[std::to_string(i)] = decide(std::to_string(i)).slot;
  workers_.set_state(1, WorkerState::kDraining);
  std::map<Slot, int> heirs;
  for (const auto& [key, slot] : before) {
    const Slot now = decide(key).slot;
    if (slot == 1) {
      ++heirs[now];
    } else {
      EXPECT_EQ(now, slot);
    }
  }
  EXPECT_EQ(heirs.size(), 3U) << "all others share them";
  workers_.set_state(1, WorkerState::kOnline);
  for (const auto& [key, slot] : before) EXPECT_EQ(decide(key).slot, slot);
}

TEST_F(RouterTest, P2cSpreads) {
  rules_.policy = Policy::kP2c;
  for (int i = 0; i < 4'000; ++i) send("k" + std::to_string(i), 0);
  for (Slot slot = 0; slot < 4; ++slot) EXPECT_NEAR(workers_.load(slot), 1'000, 20);
}

TEST_F(RouterTest, P2cNeverTakesTheMostLoaded) {
  rules_.policy = Policy::kP2c;
  rules_.sticky = false;
  load(2, 10);
  std::set<Slot> seen;
  for (int i = 0; i < 200; ++i) seen.insert(decide("k", kNoSlot).slot);
  EXPECT_EQ(seen, (std::set<Slot>{0, 1, 3}));
  set_up(1, 0, 10);
  EXPECT_EQ(decide("k").slot, 0);
}

// --- limits --------------------------------------------------------------------------------------

TEST_F(RouterTest, AFullOwnerSpillsAndStaysTheOwner) {
  set_up(2, 2, 10);
  const RouteDecision first = decide("k", 0);
  load(0, 2);
  const RouteDecision spilled = decide("k", 0);
  ASSERT_EQ(spilled.kind, Kind::kTo);
  EXPECT_EQ(spilled.slot, 1);
  EXPECT_EQ(spilled.route, nullptr);
  EXPECT_EQ(router_->find(kSpace, "k")->owner, 0);
  load(0, 1);
  EXPECT_EQ(decide("k", 1).route, first.route);
}

TEST_F(RouterTest, AFullOwnerRefusesIfSoConfigured) {
  set_up(2, 2, 10);
  rules_.overflow = Overflow::kRefuse;
  decide("k", 0);
  load(0, 2);
  const RouteDecision refused = decide("k", 1);
  EXPECT_EQ(refused.kind, Kind::kFull);
  ASSERT_EQ(refused.places.size(), 1U);
  EXPECT_EQ(refused.places[0], 0);
  EXPECT_EQ(decide("other", 0).slot, 1) << "a key without an owner goes elsewhere";
}

TEST_F(RouterTest, WithoutRoomAnywhereClientsWait) {
  set_up(2, 1, 10);
  decide("k", 0);
  load(0, 1);
  load(1, 1);
  for (const char* key : {"k", "new", ""}) {
    const RouteDecision decision = decide(key);
    EXPECT_EQ(decision.kind, Kind::kWait) << key;
    EXPECT_EQ(decision.slot, kNoSlot) << key;
  }
  EXPECT_EQ(router_->key_count(), 1U);
}

TEST_F(RouterTest, WithoutCreditClientsWaitForThisWorker) {
  set_up(2, 0, 1);
  send("k", 1);
  const RouteDecision owned = decide("k", 0);
  EXPECT_EQ(owned.kind, Kind::kWait);
  EXPECT_EQ(owned.slot, 1);
  send("", 0);
  const RouteDecision fresh = decide("new", 0);
  EXPECT_EQ(fresh.kind, Kind::kWait);
  EXPECT_EQ(fresh.slot, 0);
  EXPECT_EQ(router_->find(kSpace, "new"), nullptr) << "nothing is assigned while waiting";
}

// --- pins ----------------------------------------------------------------------------------------

TEST_F(RouterTest, PinnedKeysGoWhereTheyArePinned) {
  router_->pin(kSpace, "k", {2});
  router_->pin(kSpace, "*", {1, 3});
  for (int i = 0; i < 20; ++i) {
    const Slot slot = send("other" + std::to_string(i), 0).slot;
    EXPECT_TRUE(slot == 1 || slot == 3);
  }
  load(2, 1'000);
  EXPECT_EQ(decide("k", 0).slot, 2);
  rules_.space = 2;
  EXPECT_EQ(decide("k", 0).slot, 0) << "other spaces have other pins";
}

TEST_F(RouterTest, ClientsWithoutAKeyArePinnedNowhere) {
  router_->pin(kSpace, "*", {1});
  EXPECT_EQ(decide("", 3).slot, 3);
}

TEST_F(RouterTest, PinsThatAreTakenAwayBindNobody) {
  router_->pin(kSpace, "k", {2});
  router_->pin(kSpace, "*", {2});
  router_->pin(kSpace, "k", {});
  router_->pin(kSpace, "*", {});
  EXPECT_EQ(decide("k", 0).slot, 0);
  EXPECT_EQ(decide("other", 3).slot, 3);
}

TEST_F(RouterTest, APinTakesTheKeyFromItsOwnerAtOnce) {
  const RouteDecision before = decide("k", 0);
  const std::uint32_t epoch = before.route->epoch;
  const std::vector<Disowned> losers = router_->pin(kSpace, "k", {2});
  ASSERT_EQ(losers.size(), 1U);
  EXPECT_EQ(losers[0].slot, 0);
  EXPECT_EQ(losers[0].space, kSpace);
  EXPECT_EQ(losers[0].key, "k");
  EXPECT_EQ(losers[0].epoch, epoch);
  EXPECT_EQ(router_->key_count(), 0U);
  const RouteDecision after = decide("k", 0);
  EXPECT_EQ(after.slot, 2);
  EXPECT_NE(after.route->epoch, epoch);
  router_->release(0, kSpace, "k", epoch);
  EXPECT_EQ(router_->find(kSpace, "k")->owner, 2);
}

TEST_F(RouterTest, APinThatAllowsTheOwnerTakesNothing) {
  decide("k", 1);
  EXPECT_TRUE(router_->pin(kSpace, "k", {3, 1}).empty());
  EXPECT_TRUE(router_->pin(kSpace, "k", {}).empty());
  EXPECT_TRUE(router_->pin(kSpace + 1, "k", {0}).empty());
  EXPECT_EQ(decide("k", 0).slot, 1);
}

TEST_F(RouterTest, APinForEveryKeyTellsEachOwnerThatLoses) {
  router_->pin(kSpace, "pinned", {0});
  decide("pinned", 0);
  decide("a", 1);
  decide("b", 2);
  decide("c", 3);
  std::set<std::string> lost;
  for (const Disowned& loser : router_->pin(kSpace, "*", {2})) lost.insert(loser.key);
  EXPECT_EQ(lost, (std::set<std::string>{"a", "c"}));
  EXPECT_EQ(decide("a", 0).slot, 2);
  EXPECT_EQ(decide("pinned", 1).slot, 0);
}

TEST_F(RouterTest, AKeyThatLosesItsPinFallsToThePinForEveryKey) {
  router_->pin(kSpace, "k", {0});
  router_->pin(kSpace, "*", {2});
  decide("k", 1);
  const std::vector<Disowned> losers = router_->pin(kSpace, "k", {});
  ASSERT_EQ(losers.size(), 1U);
  EXPECT_EQ(losers[0].slot, 0);
  EXPECT_EQ(decide("k", 1).slot, 2);
}

TEST_F(RouterTest, AKeyCanBeTakenWhileClientsAreOnTheirWay) {
  const RouteDecision old = send("k", 0);
  ASSERT_EQ(router_->pin(kSpace, "k", {2}).size(), 1U);
  const RouteDecision now = send("k", 1);
  ASSERT_EQ(now.kind, Kind::kTo);
  EXPECT_EQ(now.slot, 2);
  EXPECT_EQ(now.route->in_flight, 1U);
  --old.route->in_flight;
  router_->not_taken(*old.route);
  EXPECT_EQ(router_->find(kSpace, "k"), now.route) << "the old delivery is no longer its concern";
  router_->pin(kSpace, "other", {1});
  EXPECT_EQ(router_->find(kSpace, "k")->in_flight, 1U);
}

TEST_F(RouterTest, APinnedWorkerThatIsComingIsAwaited) {
  router_->pin(kSpace, "k", {3, 2});
  for (const WorkerState state : {WorkerState::kStarting, WorkerState::kBackoff}) {
    workers_.set_state(2, state);
    workers_.set_state(3, WorkerState::kParked);
    const RouteDecision decision = decide("k", 0);
    EXPECT_EQ(decision.kind, Kind::kWait);
    EXPECT_EQ(decision.slot, 2) << "not for room elsewhere";
  }
  workers_.set_state(2, WorkerState::kOnline);
  EXPECT_EQ(decide("k", 0).slot, 2);
}

TEST_F(RouterTest, APinnedWorkerThatStaysDownIsRelievedOrNot) {
  router_->pin(kSpace, "k", {3, 17});
  workers_.set_state(3, WorkerState::kParked);
  const RouteDecision spilled = decide("k", 1);
  EXPECT_EQ(spilled.kind, Kind::kTo);
  EXPECT_EQ(spilled.slot, 1);
  EXPECT_EQ(spilled.route, nullptr);
  rules_.overflow = Overflow::kRefuse;
  EXPECT_EQ(decide("k", 1).kind, Kind::kBusy);
}

TEST_F(RouterTest, APinnedWorkerThatIsFullIsRelievedOrNot) {
  set_up(3, 2, 10);
  router_->pin(kSpace, "k", {2});
  load(2, 2);
  const RouteDecision spilled = decide("k", 1);
  EXPECT_EQ(spilled.slot, 1);
  EXPECT_EQ(spilled.route, nullptr);
  rules_.overflow = Overflow::kRefuse;
  const RouteDecision refused = decide("k", 1);
  EXPECT_EQ(refused.kind, Kind::kFull);
  ASSERT_EQ(refused.places.size(), 1U);
  EXPECT_EQ(refused.places[0], 2);
}

// --- isolation -----------------------------------------------------------------------------------

class IsolatingRouterTest : public testing::Test {
 protected:
  IsolatingRouterTest() {
    workers_.resize(6);
    for (Slot slot = 0; slot < 2; ++slot) {
      workers_.begin_incarnation(slot);
      workers_.set_state(slot, WorkerState::kOnline);
    }
    rules_.space = kSpace;
    rules_.isolate = Isolation::kKey;
    CellRules rules;
    rules.wanted = true;
    rules.base = 2;
    rules.maximum = 4;
    cells_.set_rules(rules);
  }

  RouteDecision decide(std::string_view key, Slot origin = 0) {
    return router_.decide({.origin = origin, .key = key, .rules = &rules_, .now = now_});
  }
  void start() {
    for (const Slot slot : cells_.to_start(now_)) {
      workers_.begin_incarnation(slot);
      workers_.set_state(slot, WorkerState::kOnline);
      cells_.on_online(slot, now_);
    }
  }
  /// Until its first client is there.
  RouteDecision settle(std::string_view key) {
    decide(key);
    start();
    const RouteDecision decision = decide(key);
    if (decision.route != nullptr) decision.route->held = true;
    return decision;
  }

  WorkerTable workers_{0, 16};
  CellSet cells_{workers_};
  Router router_{workers_, 1000, 42, &cells_};
  RoutingRules rules_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(IsolatingRouterTest, AKeyWaitsForItsCellWhichOwnsItThen) {
  const RouteDecision waits = decide("a");
  EXPECT_EQ(waits.kind, Kind::kWait);
  EXPECT_TRUE(waits.for_cell);
  EXPECT_EQ(waits.slot, 3);
  start();
  const RouteDecision goes = decide("a", 1);
  EXPECT_EQ(goes.kind, Kind::kTo);
  EXPECT_EQ(goes.slot, 3);
  ASSERT_NE(goes.route, nullptr);
  goes.route->held = true;
  EXPECT_EQ(decide("a").route, goes.route);
  EXPECT_TRUE(router_.release(3, kSpace, "a", goes.route->epoch));
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{3});
}

TEST_F(IsolatingRouterTest, CellsGetNobodyElse) {
  settle("a");
  rules_.isolate = Isolation::kNo;
  workers_.report(0, 100, 100);
  workers_.report(1, 100, 100);
  for (const char* key : {"b", "c", "d", "e", "f"}) EXPECT_LT(decide(key).slot, 2) << key;
  EXPECT_LT(decide("").slot, 2);
  router_.pin(kSpace, "g", {3});
  EXPECT_NE(decide("g").slot, 3) << "a pin names no cell";
}

TEST_F(IsolatingRouterTest, BeyondTheMaximumTheOthersServeOrNobody) {
  settle("a");
  settle("b");
  const RouteDecision shared = decide("c");
  EXPECT_EQ(shared.kind, Kind::kTo);
  EXPECT_LT(shared.slot, 2);
  EXPECT_NE(shared.route, nullptr) << "it stays there";
  rules_.isolate_overflow = IsolateOverflow::kRefuse;
  EXPECT_EQ(decide("d").kind, Kind::kBusy);
  rules_.isolate = Isolation::kClient;
  EXPECT_EQ(decide("d").kind, Kind::kBusy);
}

TEST_F(IsolatingRouterTest, AFullCellSpillsToSharedWorkersAlone) {
  workers_.set_soft_limit(1);
  settle("a");
  settle("b");
  workers_.report(3, 1, 1);
  const RouteDecision spilled = decide("a");
  EXPECT_EQ(spilled.kind, Kind::kTo);
  EXPECT_LT(spilled.slot, 2);
  rules_.overflow = Overflow::kRefuse;
  EXPECT_EQ(decide("a").kind, Kind::kFull);
}

TEST_F(IsolatingRouterTest, APinnedKeyIsNotIsolatedAndOneThatIsPinnedAwayLeavesItsCell) {
  router_.pin(kSpace, "p", {1});
  EXPECT_EQ(decide("p").slot, 1);
  settle("a");
  const auto losers = router_.pin(kSpace, "a", {0});
  ASSERT_EQ(losers.size(), 1U);
  EXPECT_EQ(losers[0].slot, 3);
  EXPECT_EQ(cells_.take_ending(), std::vector<Slot>{3});
  EXPECT_EQ(decide("a").slot, 0);
}

TEST_F(IsolatingRouterTest, WhoseListenerIsWithdrawnStaysInItsCell) {
  const Slot cell = settle("a").slot;
  rules_ = {UINT16_MAX, Policy::kLocal, Overflow::kSpill, false};
  EXPECT_EQ(decide("b", cell).slot, cell);
  EXPECT_EQ(decide("b", 1).slot, 1);
}

TEST_F(IsolatingRouterTest, EachClientGetsACellAndStaysThereWhenItMoves) {
  rules_.isolate = Isolation::kClient;
  const RouteDecision waits = decide("a");
  EXPECT_EQ(waits.kind, Kind::kWait);
  EXPECT_EQ(waits.slot, kNoSlot);
  EXPECT_TRUE(waits.for_cell);
  cells_.set_waiting(1);
  start();
  cells_.set_waiting(0);
  const RouteDecision goes = decide("a");
  EXPECT_EQ(goes.kind, Kind::kTo);
  EXPECT_EQ(goes.route, nullptr) << "nobody owns its key";
  EXPECT_EQ(decide("b", goes.slot).slot, goes.slot);
}

}  // namespace
}  // namespace mpb
