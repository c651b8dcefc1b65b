#include "common/process/worker_accounts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace mpb {
namespace {

std::string why(const std::string& user, const std::string& group, std::size_t slots) {
  const auto found = WorkerAccounts::find(user, group, slots);
  return found ? "" : found.error().text;
}

TEST(WorkerAccounts, ARangeIsTwoAccountsThatDifferInTheirNumber) {
  const auto numbers = parse_account_range("60600..60663");
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->size(), 64U);
  EXPECT_EQ(numbers->at(63), "60663");
  EXPECT_EQ(parse_account_range("60600-60663")->size(), 64U);
  const auto names = parse_account_range("mpbroker-0..mpbroker-15");
  ASSERT_TRUE(names);
  EXPECT_EQ(names->at(15), "mpbroker-15");
  EXPECT_EQ(parse_account_range("w08..w12")->at(1), "w09");
  EXPECT_EQ(parse_account_range("5..5")->size(), 1U);
}

TEST(WorkerAccounts, WhatIsNoRangeIsRefused) {
  for (const char* text : {"60663..60600", "a-0..b-5", "0..", "..5", "a..b", "1..2..3",
                           "0..4294967295", "1..1000000", "..", "-"}) {
    EXPECT_FALSE(parse_account_range(text)) << text;
  }
  for (const char* text : {"www-data", "mpbroker-0", "60600", "a-1"}) {
    EXPECT_FALSE(is_account_range(text)) << text;
  }
}

TEST(WorkerAccounts, EachSlotHasItsOwn) {
  const auto found = WorkerAccounts::find("60600..60603", "", 4);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_TRUE(found->separate());
  for (std::size_t slot = 0; slot < 4; ++slot) {
    ASSERT_TRUE(found->cover(slot));
    EXPECT_EQ(found->of(slot)->user, 60600 + slot);
    EXPECT_EQ(found->of(slot)->group, 60600 + slot);
    EXPECT_TRUE(found->includes(static_cast<uid_t>(60600 + slot)));
  }
  EXPECT_FALSE(found->cover(4)) << "it would run as somebody else";
  EXPECT_FALSE(found->includes(60604));
  EXPECT_FALSE(found->includes(::geteuid()));
}

TEST(WorkerAccounts, GroupsMayBeARangeOrOneForAll) {
  const auto range = WorkerAccounts::find("60600..60603", "60700..60703", 2);
  ASSERT_TRUE(range) << range.error().text;
  EXPECT_EQ(range->of(1)->group, 60701U);
  const auto one = WorkerAccounts::find("60600..60603", "nogroup", 2);
  ASSERT_TRUE(one) << one.error().text;
  EXPECT_EQ(one->of(0)->group, one->of(1)->group);
  EXPECT_NE(why("", "60700..60703", 1), "");
  EXPECT_NE(why("60600..60603", "60700..60701", 4), "");
}

TEST(WorkerAccounts, TooFewAreToldWithWhatIsNeeded) {
  const std::string text = why("60600..60603", "", 5);
  EXPECT_NE(text.find('5'), std::string::npos) << text;
  EXPECT_NE(text.find("max-workers"), std::string::npos) << text;
}

TEST(WorkerAccounts, RootAndTheBrokersOwnAreRefused) {
  EXPECT_NE(why("0..10", "", 2).find("root"), std::string::npos);
  EXPECT_NE(why("60600..60603", "0", 2).find("root"), std::string::npos);
  const auto own = std::to_string(::geteuid());
  EXPECT_NE(why(own + ".." + std::to_string(::geteuid() + 3), "", 2), "");
}

TEST(WorkerAccounts, UnknownNamesAreNamed) {
  const std::string text = why("no-such-account-0..no-such-account-3", "", 2);
  EXPECT_NE(text.find("no-such-account-0"), std::string::npos) << text;
}

TEST(WorkerAccounts, OneForAllAndNoneAtAll) {
  const auto one = WorkerAccounts::find("nobody", "", 100);
  ASSERT_TRUE(one);
  EXPECT_FALSE(one->separate());
  EXPECT_EQ(one->of(0)->user, one->of(99)->user);
  const auto none = WorkerAccounts::find("", "", 100);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->cover(7));
  EXPECT_FALSE(none->of(7));
}

}  // namespace
}  // namespace mpb
