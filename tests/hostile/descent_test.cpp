// What belongs to a worker ends with it, and a worker has no way to the broker but its channel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/hostile/siege.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

// Its filter of system calls would stop them before.
const std::vector<std::string> kWithoutSandbox = {"--sandbox", "no"};

class HostileDescent : public testing::Test {
 protected:
  /// Waits until the attack's processes are there: they hold a pipe whose other end is here.
  void begin(const SiegePlan& plan, int processes = 1) {
    siege.emplace(plan);
    const std::string path = siege->folder().file("alive");
    ASSERT_EQ(::mkfifo(path.c_str(), 0666), 0);
    pipe.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    siege->begin();
    int there = 0;
    ASSERT_TRUE(eventually([&] {
      char byte = 0;
      while (::read(pipe.get(), &byte, 1) == 1) ++there;
      return there >= processes;
    }));
    siege->folder().write("haunted", "");
  }

  /// Nobody holds the pipe any more.
  [[nodiscard]] bool all_gone() const {
    char byte = 0;
    return ::read(pipe.get(), &byte, 1) == 0;
  }

  void expect_end_with_worker(const SiegePlan& plan, int processes = 1) {
    begin(plan, processes);
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_TRUE(siege->await_replacement());
    siege->expect_served(9, 1);
    siege->expect_unharmed();
  }

  void expect_end_with_broker() {
    siege->broker().signal(SIGTERM);
    ASSERT_TRUE(eventually([&] { return log_has("event=stopping"); }));
    siege->broker().signal(SIGTERM);  // it does not wait for the witness
    ASSERT_EQ(siege->broker().wait_exit(), "exit 0");
    EXPECT_TRUE(all_gone());
  }

  [[nodiscard]] bool log_has(const std::string& text) {
    return siege->broker().log().find(text) != std::string::npos;
  }

  std::optional<Siege> siege;
  UniqueFd pipe;
};

TEST_F(HostileDescent, ADaemonEndsWithAWorkerThatIsEjected) {
  expect_end_with_worker({.attacks = "1=daemon-then-violation"});
}

TEST_F(HostileDescent, AFamilyWithAReaperOfItsOwnEndsWithAWorkerThatIsEjected) {
  expect_end_with_worker({.attacks = "1=family-then-violation"}, 4);
}

TEST_F(HostileDescent, AStormOfForksEndsWithAWorkerThatIsEjected) {
  expect_end_with_worker({.attacks = "1=storm-then-violation"}, 100);
}

TEST_F(HostileDescent, ProcessesThatForkFasterThanTheyAreFoundEndWithTheirWorker) {
  expect_end_with_worker({.attacks = "1=comet-then-violation"});
}

TEST_F(HostileDescent, ADaemonEndsWithAWorkerThatExits) {
  expect_end_with_worker({.attacks = "1=daemon-then-exit"});
}

TEST_F(HostileDescent, AFamilyEndsWithAWorkerThatExits) {
  expect_end_with_worker({.attacks = "1=family-then-exit"}, 4);
}

TEST_F(HostileDescent, ADaemonStaysWithItsWorkerAndEndsWhenThatIsKilled) {
  begin({.attacks = "1=leave-daemon"});
  ASSERT_TRUE(siege->await_done());
  siege->expect_served(70, 0);
  EXPECT_FALSE(all_gone()) << "its worker lives";
  ::kill(siege->rogue(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return all_gone(); }));
  EXPECT_TRUE(siege->await_replacement());
  siege->expect_unharmed();
}

TEST_F(HostileDescent, ADaemonEndsWithAWorkerThatIsDrained) {
  begin({.attacks = "1=leave-daemon"});
  ASSERT_TRUE(siege->await_done());
  siege->broker().request({{"command", "drain"}, {"slot", 1}});
  EXPECT_TRUE(eventually([&] { return all_gone(); }));
  EXPECT_TRUE(siege->await_replacement());
  siege->expect_unharmed();
}

TEST_F(HostileDescent, ADaemonEndsBeforeTheBrokerDoes) {
  begin({.attacks = "1=leave-daemon"});
  ASSERT_TRUE(siege->await_done());
  expect_end_with_broker();
}

TEST_F(HostileDescent, ADaemonEndsWithAWorkerThatABrokerBeforeHasStarted) {
  begin({.attacks = "1=leave-daemon", .held = true});
  ASSERT_TRUE(siege->await_done());
  const pid_t before = siege->broker().kill_broker();
  ASSERT_TRUE(siege->broker().await_next_broker(before));
  ::kill(siege->rogue(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return all_gone(); }));
  EXPECT_TRUE(siege->await_replacement());
  siege->expect_served(9, 1);
}

TEST_F(HostileDescent, WhatAWorkerGivesAwayEndsThoughItLives) {
  for (const char* attack : {"1=give-away", "1=beget-sibling"}) {
    SCOPED_TRACE(attack);
    begin({.attacks = attack});
    ASSERT_TRUE(siege->await_done());
    EXPECT_TRUE(eventually([&] { return all_gone(); }));
    EXPECT_TRUE(eventually([&] { return log_has("event=leftovers"); }));
    EXPECT_EQ(siege->broker().worker_pid(1), siege->rogue());
    siege->expect_unharmed();
  }
}

// --- to the broker -------------------------------------------------------------------------------

TEST_F(HostileDescent, SignalsOfAWorkerAreNotObeyed) {
  siege.emplace(SiegePlan{.attacks = "1=signal-broker", .arguments = kWithoutSandbox});
  siege->begin();
  ASSERT_TRUE(siege->await_done());
  EXPECT_TRUE(eventually([&] { return log_has("event=signal.ignored signal=TERM"); }));
  EXPECT_EQ(siege->broker().status().state, "running");
  EXPECT_FALSE(log_has("event=reload"));
  EXPECT_EQ(siege->broker().worker_pid(1), siege->rogue());
  siege->expect_unharmed();
}

TEST_F(HostileDescent, AFloodOfSignalsEjectsItsWorker) {
  siege.emplace(SiegePlan{.attacks = "1=flood-signals", .arguments = kWithoutSandbox});
  siege->begin();
  const std::string why = siege->await_ejection();
  EXPECT_NE(why.find("signals"), std::string::npos) << why;
  EXPECT_TRUE(siege->await_replacement());
  siege->expect_unharmed();
}

TEST_F(HostileDescent, TheControlSocketRefusesAWorker) {
  siege.emplace(SiegePlan{.attacks = "1=ask-control"});
  siege->begin();
  ASSERT_TRUE(siege->await_done());
  const std::string answer = read_file(siege->folder().file("answer"));
  EXPECT_NE(answer.find("no permission"), std::string::npos) << answer;
  EXPECT_TRUE(log_has("event=control_refused"));
  EXPECT_EQ(siege->broker().status().state, "running");
  siege->expect_unharmed();
}

TEST_F(HostileDescent, TheControlSocketRefusesWhatAWorkerHasStarted) {
  begin({.attacks = "1=ask-control-by-daemon"});
  ASSERT_TRUE(siege->await_done());
  const std::string answer = read_file(siege->folder().file("answer"));
  EXPECT_NE(answer.find("no permission"), std::string::npos) << answer;
  EXPECT_EQ(siege->broker().status().state, "running");
  expect_end_with_broker();
}

TEST_F(HostileDescent, WorkersHaveTheNamedEnvironmentAlone) {
  SiegePlan plan{.attacks = "1=tell-environment"};
  plan.arguments = {"--worker-environment", "MPB_TEST_NAMED"};
  plan.environment = {"NOTIFY_SOCKET=/nonexistent/notify",
                      "MPB_TEST_SECRET=s3cret",
                      "MPB_TEST_NAMED=told",
                      "LISTEN_FDNAMES=x",
                      "WATCHDOG_PID=1",
                      "CREDENTIALS_DIRECTORY=/nonexistent",
                      "LC_ALL=C",
                      "TZ=UTC"};
  siege.emplace(plan);
  siege->begin();
  ASSERT_TRUE(siege->await_done());
  const std::string answer = '\n' + read_file(siege->folder().file("answer"));
  for (const char* given : {"\nMPBROKER_SLOT=1\n", "\nMPBROKER_CHANNEL=3\n", "\nLC_ALL=C\n",
                            "\nTZ=UTC\n", "\nMPB_TEST_NAMED=told\n", "\nPATH="}) {
    EXPECT_NE(answer.find(given), std::string::npos) << given << answer;
  }
  for (const char* kept : {"NOTIFY_SOCKET", "s3cret", "LISTEN_", "WATCHDOG", "CREDENTIALS"}) {
    EXPECT_EQ(answer.find(kept), std::string::npos) << kept << answer;
  }
  siege->expect_unharmed();
}

TEST_F(HostileDescent, LimitsThatAWorkerLowersAreTold) {
  siege.emplace(SiegePlan{.attacks = "1=lower-limits", .arguments = kWithoutSandbox});
  siege->begin();
  ASSERT_TRUE(siege->await_done());
  rlimit limit{};
  ASSERT_EQ(::prlimit(siege->broker().pid(), RLIMIT_CORE, nullptr, &limit), 0);
  if (limit.rlim_max != 64) GTEST_SKIP() << "RLIMIT_CORE cannot be lowered to 64 here";
  EXPECT_TRUE(eventually([&] { return log_has("event=limits.lowered limit=CORE"); }));
  siege->expect_unharmed();
}

}  // namespace
}  // namespace mpb::test
