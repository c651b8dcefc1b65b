#include "common/process/newborns.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace mpb {
namespace {

TEST(Newborns, NobodyIsOneWhileNoneIsAwaited) {
  EXPECT_FALSE(may_be_newborn(100));
}

TEST(Newborns, WhileOneIsAwaitedAnybodyMayBeIt) {
  const AwaitedNewborn awaited;
  EXPECT_TRUE(may_be_newborn(100));
  EXPECT_TRUE(may_be_newborn(101));
  EXPECT_TRUE(may_be_newborn(100));
}

TEST(Newborns, WhoWasThereBeforeTheOldestThatIsAwaitedIsNone) {
  std::optional<AwaitedNewborn> first(std::in_place);
  EXPECT_TRUE(may_be_newborn(100));
  const AwaitedNewborn second;
  EXPECT_TRUE(may_be_newborn(100));
  EXPECT_TRUE(may_be_newborn(101));
  first.reset();
  EXPECT_FALSE(may_be_newborn(100));
  EXPECT_TRUE(may_be_newborn(101));
}

TEST(Newborns, WhatWasSeenIsForgottenWhenNoneIsAwaited) {
  {
    const AwaitedNewborn awaited;
    EXPECT_TRUE(may_be_newborn(100));
  }
  EXPECT_FALSE(may_be_newborn(100));
  const AwaitedNewborn awaited;
  EXPECT_TRUE(may_be_newborn(100)) << "another process may have that number";
}

TEST(Newborns, WhoTakesTheNumberOfOneThatIsKnownMayBeOne) {
  std::optional<AwaitedNewborn> first(std::in_place);
  EXPECT_TRUE(may_be_newborn(100));
  const AwaitedNewborn second;
  first.reset();
  EXPECT_FALSE(may_be_newborn(100));
  forget_newborn(100);
  EXPECT_TRUE(may_be_newborn(100));
}

}  // namespace
}  // namespace mpb
