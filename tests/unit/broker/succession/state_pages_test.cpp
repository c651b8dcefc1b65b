#include "broker/succession/state_pages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/seeded.hpp"

namespace mpb {
namespace {

using Memory = std::vector<std::byte>;

TEST(StatePagesTest, NothingIsReadWhereNobodyHasWritten) {
  Memory memory(4096);
  EXPECT_FALSE(StatePages(memory).read());
}

TEST(StatePagesTest, TheLastTextIsReadAlsoByOthers) {
  Memory memory(4096);
  StatePages pages(memory);
  for (const char* text : {"one", "two", "", "four"}) {
    EXPECT_TRUE(pages.write(text));
    EXPECT_EQ(pages.read(), text);
    EXPECT_EQ(StatePages(memory).read(), text);
  }
}

TEST(StatePagesTest, WhatIsTooLongChangesNothing) {
  Memory memory(256);
  StatePages pages(memory);
  ASSERT_TRUE(pages.write("before"));
  EXPECT_FALSE(pages.write(std::string(256, 'x')));
  EXPECT_EQ(pages.read(), "before");
}

class StatePagesProperty : public test::SeededTest {};

/// As a writer leaves it that is killed: some bytes of the place that it writes are as they will
/// be, the others as they were.
TEST_F(StatePagesProperty, KilledInTheMidstOfWritingLeavesTheTextBefore) {
  Memory memory(4096);
  StatePages pages(memory);
  std::string last;
  for (int round = 0; round < 2'000; ++round) {
    const Memory before = memory;
    std::string text(number(std::size_t{0}, std::size_t{900}), static_cast<char>(number(0, 255)));
    ASSERT_TRUE(pages.write(text));
    Memory torn = memory;
    const std::size_t from = number(std::size_t{0}, torn.size());
    std::copy(before.begin() + static_cast<std::ptrdiff_t>(from), before.end(),
              torn.begin() + static_cast<std::ptrdiff_t>(from));
    const auto read = StatePages(torn).read();
    ASSERT_TRUE(read || round == 0);
    EXPECT_TRUE(!read || *read == last || *read == text);
    last = text;
  }
}

TEST_F(StatePagesProperty, GarbageIsNoText) {
  Memory memory(4096);
  for (int round = 0; round < 500; ++round) {
    for (std::byte& byte : memory) byte = static_cast<std::byte>(number(0, 255));
    StatePages pages(memory);
    EXPECT_FALSE(pages.read());
    EXPECT_TRUE(pages.write("fresh"));
    EXPECT_EQ(pages.read(), "fresh");
  }
}

}  // namespace
}  // namespace mpb
