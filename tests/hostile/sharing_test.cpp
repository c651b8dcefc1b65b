// Hostile workers that misuse what they share with others: whatever they did to the listener ends
// with them, and a client that they have kept harms nobody but itself.
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/hostile/siege.hpp"

namespace mpb::test {
namespace {

/// A sandbox would take most of these means away; not every worker has one.
const std::vector<std::string> kFree = {"--ping-limit", "4s",        "--answer-timeout",
                                        "3s",           "--sandbox", "no"};

class HostileSharing : public testing::Test {
 protected:
  static bool eventually_logs(Siege& siege, const std::string& text) {
    return eventually([&] { return siege.broker().log().find(text) != std::string::npos; });
  }

  /// It goes on with what it does, and nobody is held up for long.
  static void expect_endured(const std::string& attack) {
    Siege siege({.attacks = "1=" + attack, .arguments = kFree});
    siege.begin();
    ASSERT_TRUE(siege.await_done());
    for (int i = 0; i < 10; ++i) siege.expect_served(70 + i, 0);
    EXPECT_EQ(siege.broker().worker(0).restarts, 0);
    ::kill(siege.rogue(), SIGKILL);
    EXPECT_TRUE(siege.await_replacement());
    siege.expect_unharmed();
  }
};

TEST_F(HostileSharing, AListenerThatIsSpoiltByAWorkerThatEnds) {
  Siege siege({.attacks = "1=spoil-listener-and-end", .arguments = kFree});
  siege.begin();
  EXPECT_TRUE(siege.await_replacement());
  EXPECT_TRUE(eventually_logs(siege, "SO_ATTACH_FILTER")) << siege.broker().log();
  siege.expect_served(70, 0);
  siege.expect_unharmed();
}

TEST_F(HostileSharing, AListenerThatIsSpoiltByAWorkerThatStays) {
  Siege siege({.attacks = "1=spoil-listener", .arguments = kFree});
  siege.begin();
  ASSERT_TRUE(siege.await_done());
  EXPECT_TRUE(eventually_logs(siege, "SO_ATTACH_FILTER")) << siege.broker().log();
  siege.expect_served(70, 0);
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST_F(HostileSharing, AfterAWorkerThatEndsUntoldTheListenerIsAnother) {
  Siege siege({.attacks = "1=exit-when-online", .arguments = kFree});
  siege.begin();
  EXPECT_TRUE(siege.await_replacement());
  EXPECT_TRUE(eventually_logs(siege, "listener.renewed")) << siege.broker().log();
  siege.expect_unharmed();
}

TEST_F(HostileSharing, AfterOneThatWasToldToTheListenerIsTheSame) {
  Siege siege({.attacks = "1=untrue-load", .arguments = kFree});
  siege.begin();
  ASSERT_TRUE(siege.await_done());
  siege.broker().request({{"command", "drain"}, {"slot", 1}});
  EXPECT_TRUE(siege.await_replacement());
  siege.expect_served(9, 1);
  EXPECT_EQ(siege.broker().log().find("listener.renewed"), std::string::npos);
}

TEST_F(HostileSharing, AListenerThatIsMadeBlockingAllTheTime) {
  expect_endured("unblock-listener-for-ever");
}

TEST_F(HostileSharing, AListenerWhoseClientsInheritWhatWouldWait) {
  expect_endured("hold-up-clients-for-ever");
}

TEST_F(HostileSharing, AClientOfWhichItHasKeptACopy) {
  expect_endured("torment-a-client");
}

}  // namespace
}  // namespace mpb::test
