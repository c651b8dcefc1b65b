#include "guard/restart_rules.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace mpb::guard {
namespace {

constexpr int kKilled = SIGKILL;  // as waitpid(2) has it
constexpr int exit_code(int code) {
  return code << 8;
}

TEST(RestartRulesTest, OneThatNeverWasReadyIsTheEndHoweverItEnds) {
  for (const int status : {exit_code(0), exit_code(1), exit_code(2), kKilled}) {
    EXPECT_FALSE(RestartRules().on_end(status, 0)) << status;
  }
}

TEST(RestartRulesTest, OneThatHasKeptSomethingIsStartedAgainIfItIsKilled) {
  for (const auto& [status, again] : {std::pair{exit_code(2), false}, std::pair{kKilled, true}}) {
    RestartRules rules;
    rules.on_kept();
    EXPECT_EQ(rules.on_end(status, 0).has_value(), again);
  }
}

TEST(RestartRulesTest, ExitCode0IsTheEnd) {
  RestartRules rules;
  rules.on_ready(0);
  EXPECT_FALSE(rules.on_end(exit_code(0), 1'000));
}

TEST(RestartRulesTest, OneThatDidItsWorkIsFollowedAtOnceEachTime) {
  RestartRules rules;
  for (std::int64_t now = 0; now < 10'000; now += 100) {
    rules.on_ready(now);
    rules.on_ready(now + 90);  // after a reload
    EXPECT_EQ(rules.on_end(kKilled, now + 95), 0);
  }
}

TEST(RestartRulesTest, ThoseThatDidNotComeLaterAndLater) {
  RestartRules rules;
  rules.on_ready(0);
  EXPECT_EQ(rules.on_end(kKilled, 100), 0);
  for (const std::int64_t delay : {0, 25, 50, 100, 200, 400, 500, 500}) {
    EXPECT_EQ(rules.on_end(exit_code(2), 200), delay);
  }
  rules.on_ready(1'000);
  EXPECT_EQ(rules.on_end(kKilled, 1'049), 500);
  rules.on_ready(2'000);
  EXPECT_EQ(rules.on_end(kKilled, 2'050), 0);
}

}  // namespace
}  // namespace mpb::guard
