#include "worker/clients/key_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mpb {
namespace {

constexpr std::uint16_t kSpace = 1;
const TimePoint kStart{std::chrono::hours(1)};
TimePoint at(int ms) {
  return kStart + Duration(ms);
}

using Released = std::vector<std::pair<std::string, std::uint32_t>>;

Released expire(KeyTable& keys, TimePoint now) {
  Released released;
  keys.expire(now, [&](const KeyState& key) { released.emplace_back(key.key, key.epoch); });
  return released;
}

class KeyTableTest : public testing::Test {
 protected:
  KeyTable keys_{Duration{100}};
};

TEST_F(KeyTableTest, OwnsWhatItEnteredWithAnEpoch) {
  const KeyState& state = keys_.enter(kSpace, "k", 7);
  EXPECT_EQ(state.key, "k");
  EXPECT_EQ(state.space, kSpace);
  EXPECT_EQ(state.epoch, 7U);
  EXPECT_EQ(state.clients, 1U);
  EXPECT_EQ(keys_.owned(kSpace, "k"), &state);
  EXPECT_EQ(keys_.owned(kSpace + 1, "k"), nullptr);
  EXPECT_EQ(keys_.owned(kSpace, "kk"), nullptr);
  EXPECT_EQ(keys_.owned_count(), 1U);
}

TEST_F(KeyTableTest, KeysMayHoldAnyBytes) {
  const std::string key("\0a\0", 3);
  keys_.enter(kSpace, key, 1);
  EXPECT_NE(keys_.owned(kSpace, key), nullptr);
  EXPECT_EQ(keys_.owned(kSpace, std::string("\0a", 2)), nullptr);
}

TEST_F(KeyTableTest, ASpilledClientDoesNotMakeItTheOwner) {
  KeyState& state = keys_.enter(kSpace, "k", 0);
  EXPECT_EQ(keys_.owned(kSpace, "k"), nullptr);
  EXPECT_EQ(keys_.owned_count(), 0U);
  keys_.leave(state, kStart);
  EXPECT_EQ(keys_.next_expiry(), std::nullopt) << "nothing to give up";
}

TEST_F(KeyTableTest, ASpilledClientLeavesTheOwnershipAsItIs) {
  keys_.enter(kSpace, "k", 7);
  EXPECT_EQ(keys_.enter(kSpace, "k", 0).epoch, 7U);
}

TEST_F(KeyTableTest, ALaterEpochReplacesTheOneBefore) {
  keys_.enter(kSpace, "k", 7);
  keys_.enter(kSpace, "k", 9);
  EXPECT_EQ(keys_.owned(kSpace, "k")->epoch, 9U);
  EXPECT_EQ(keys_.owned_count(), 1U);
  keys_.disown(kSpace, "k", 7);
  EXPECT_NE(keys_.owned(kSpace, "k"), nullptr) << "that was about the one before";
}

TEST_F(KeyTableTest, AnIdleKeyIsGivenUpAfterTheLingerTime) {
  keys_.leave(keys_.enter(kSpace, "k", 7), kStart);
  EXPECT_EQ(keys_.next_expiry(), at(100));
  EXPECT_TRUE(expire(keys_, at(99)).empty());
  EXPECT_NE(keys_.owned(kSpace, "k"), nullptr);
  EXPECT_EQ(expire(keys_, at(100)), (Released{{"k", 7}}));
  EXPECT_EQ(keys_.owned(kSpace, "k"), nullptr);
  EXPECT_EQ(keys_.owned_count(), 0U);
  EXPECT_EQ(keys_.next_expiry(), std::nullopt);
}

TEST_F(KeyTableTest, ANewClientEndsTheIdleTime) {
  keys_.leave(keys_.enter(kSpace, "k", 7), kStart);
  KeyState& again = keys_.enter(kSpace, "k", 0);
  EXPECT_EQ(again.epoch, 7U);
  EXPECT_TRUE(expire(keys_, at(1'000)).empty());
  keys_.leave(again, at(1'000));
  EXPECT_EQ(keys_.next_expiry(), at(1'100));
}

TEST_F(KeyTableTest, OnlyTheLastClientMakesItIdle) {
  KeyState& state = keys_.enter(kSpace, "k", 7);
  keys_.enter(kSpace, "k", 7);
  keys_.leave(state, kStart);
  EXPECT_EQ(keys_.next_expiry(), std::nullopt);
  keys_.leave(state, at(5));
  EXPECT_EQ(keys_.next_expiry(), at(105));
}

TEST_F(KeyTableTest, WithoutALingerTimeItIsGivenUpAsSoonAsPossible) {
  keys_.set_linger(Duration{0});
  keys_.leave(keys_.enter(kSpace, "k", 7), kStart);
  EXPECT_EQ(expire(keys_, at(1)), (Released{{"k", 7}}));
}

TEST_F(KeyTableTest, ADisownedKeyKeepsItsClients) {
  KeyState& state = keys_.enter(kSpace, "k", 7);
  keys_.disown(kSpace, "k", 7);
  EXPECT_EQ(keys_.owned(kSpace, "k"), nullptr);
  EXPECT_EQ(state.clients, 1U);
  EXPECT_EQ(state.key, "k");
  keys_.leave(state, kStart);
  EXPECT_TRUE(expire(keys_, at(1'000)).empty()) << "not its own to give up";
}

TEST_F(KeyTableTest, ADisownedIdleKeyIsGone) {
  keys_.leave(keys_.enter(kSpace, "k", 7), kStart);
  keys_.disown(kSpace, "k", 7);
  EXPECT_EQ(keys_.owned_count(), 0U);
  EXPECT_EQ(keys_.next_expiry(), std::nullopt);
}

TEST_F(KeyTableTest, DisowningWhatItDoesNotOwnChangesNothing) {
  KeyState& spilled = keys_.enter(kSpace, "s", 0);
  keys_.enter(kSpace, "k", 7);
  keys_.disown(kSpace, "s", 3);
  keys_.disown(kSpace, "k", 8);
  keys_.disown(kSpace + 1, "k", 7);
  keys_.disown(kSpace, "unknown", 7);
  EXPECT_EQ(spilled.clients, 1U);
  EXPECT_EQ(keys_.owned_count(), 1U);
}

TEST_F(KeyTableTest, AnOwnedKeyWithoutClientsIsIdle) {
  keys_.own(kSpace, "k", 7, kStart);
  EXPECT_EQ(keys_.owned(kSpace, "k")->epoch, 7U);
  EXPECT_EQ(keys_.next_expiry(), at(100));
  keys_.own(kSpace, "k", 8, at(50));
  EXPECT_EQ(expire(keys_, at(150)), (Released{{"k", 8}}));
}

TEST_F(KeyTableTest, OwningAKeyWithClientsGivesItNoDeadline) {
  KeyState& state = keys_.enter(kSpace, "k", 0);
  keys_.own(kSpace, "k", 7, kStart);
  EXPECT_EQ(keys_.owned(kSpace, "k"), &state);
  EXPECT_EQ(keys_.next_expiry(), std::nullopt);
}

TEST_F(KeyTableTest, StatesStayWhereTheyAreInMemory) {
  KeyState& state = keys_.enter(kSpace, "k", 7);
  for (int i = 0; i < 10'000; ++i) keys_.enter(kSpace, std::to_string(i), 1);
  EXPECT_EQ(keys_.owned(kSpace, "k"), &state);
  EXPECT_EQ(state.key, "k");
}

TEST_F(KeyTableTest, VisitsTheOwnedKeysOnly) {
  keys_.enter(kSpace, "a", 7);
  keys_.enter(kSpace, "b", 0);
  keys_.own(kSpace, "c", 9, kStart);
  std::vector<std::string> seen;
  keys_.for_each_owned([&](const KeyState& key) { seen.emplace_back(key.key); });
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "c"}));
}

TEST_F(KeyTableTest, ExpiresInTheOrderOfTheirIdleTimes) {
  KeyState& a = keys_.enter(kSpace, "a", 1);
  KeyState& b = keys_.enter(kSpace, "b", 2);
  keys_.leave(b, kStart);
  keys_.leave(a, at(10));
  EXPECT_EQ(expire(keys_, at(1'000)), (Released{{"b", 2}, {"a", 1}}));
}

}  // namespace
}  // namespace mpb
