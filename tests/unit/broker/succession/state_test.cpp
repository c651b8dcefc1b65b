#include "broker/succession/state.hpp"

#include <gtest/gtest.h>

#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

BrokerState some_state() {
  BrokerState state;
  state.generation = 7;
  state.seal = {1, 2};
  state.next_epoch = 9;
  state.widest_window = 1024;
  state.last_end_ms = 11;
  state.stopping = 1;
  state.workers = 3;
  state.next_listener = 2;
  state.slots = {{0, 4, 4711, 0, 0, 1, 99, {}},
                 {5, 1, 4712, 2, SlotState::kToldToDrain, 0, 100, std::string("\0\0room", 6)}};
  state.listeners = {{1, "main", "rtmp", "relay", 1, 2, "address"}};
  state.spaces = {{0, "control"}, {1, "rtmp"}};
  state.pins = {{1, "key", {2, 3}}, {1, "*", {}}};
  state.vhosts = {{"a.test", "[vhost a.test]\n"}, {"b.test", ""}};
  state.counts = {{CountState::kDispatch, 0, 0, {1, 2, 3}}, {CountState::kSlot, 5, 0, {}}};
  return state;
}

TEST(BrokerStateTest, EveryFieldComesBack) {
  const BrokerState state = some_state();
  const auto read = decode_state(encode(state));
  ASSERT_TRUE(read) << read.why();
  EXPECT_EQ(read->generation, 7U);
  EXPECT_EQ(read->seal.low, 1U);
  EXPECT_EQ(read->seal.high, 2U);
  EXPECT_EQ(read->next_epoch, 9U);
  EXPECT_EQ(read->widest_window, 1024U);
  EXPECT_EQ(read->last_end_ms, 11U);
  EXPECT_EQ(read->stopping, 1);
  EXPECT_EQ(read->workers, 3U);
  EXPECT_EQ(read->next_listener, 2);
  EXPECT_EQ(read->slots, state.slots);
  EXPECT_EQ(read->listeners, state.listeners);
  EXPECT_EQ(read->spaces, state.spaces);
  EXPECT_EQ(read->pins, state.pins);
  EXPECT_EQ(read->vhosts, state.vhosts);
  EXPECT_EQ(read->counts, state.counts);
}

TEST(BrokerStateTest, AnyPartOfItIsRefused) {
  const std::string whole = encode(some_state());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_state(std::string_view(whole).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_state(whole + "x"));
}

TEST(BrokerStateTest, AnotherVersionIsRefused) {
  std::string bytes = encode(some_state());
  bytes[0] = 2;
  EXPECT_EQ(decode_state(bytes).why(), "it is of another version");
}

class BrokerStateProperty : public test::SeededTest {};

TEST_F(BrokerStateProperty, WhateverTheBytesAreItIsReadOrRefused) {
  const std::string whole = encode(some_state());
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (int left = number(1, 8); left > 0; --left) {
      bytes[number(std::size_t{4}, bytes.size() - 1)] = static_cast<char>(number(0, 255));
    }
    const auto read = decode_state(bytes);
    if (!read) continue;
    EXPECT_EQ(encode(*read), bytes);
  }
}

}  // namespace
}  // namespace mpb
