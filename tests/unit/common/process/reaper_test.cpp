#include "common/process/reaper.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "common/io/channel.hpp"
#include "common/process/child.hpp"

namespace mpb {
namespace {

constexpr Duration kTurn{100};

pid_t fork_and_end() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(5);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  return pid;
}

bool is_reaped(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG) != 0 &&
         errno == ECHILD;
}

TEST(Reaper, WaitsForStrangersAndLeavesAChildItsExitStatus) {
  EventLoop loop;
  auto pair = make_channel_pair();
  ASSERT_TRUE(pair);
  std::optional<ExitStatus> status;
  ChildOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", "exit 7"};
  auto child = Child::spawn(loop, options, pair->second, [&](ExitStatus told) { status = told; });
  ASSERT_TRUE(child);
  const pid_t known = (*child)->pid();
  EXPECT_TRUE(Child::is_one(known));
  const std::vector<pid_t> strangers{fork_and_end(), fork_and_end(), fork_and_end()};
  Reaper reaper(loop);
  const auto all_reaped = [&] {
    return is_reaped(strangers[0]) && is_reaped(strangers[1]) && is_reaped(strangers[2]);
  };
  while (!all_reaped() || !status) loop.turn(kTurn);
  EXPECT_EQ(status->to_string(), "exit code 7");
  EXPECT_FALSE(Child::is_one(known));
}

TEST(Reaper, LooksAgainWhenItIsTold) {
  EventLoop loop;
  Reaper reaper(loop);
  for (int round = 0; round < 2; ++round) {
    const pid_t stranger = fork_and_end();
    reaper.look_soon();
    while (!is_reaped(stranger)) loop.turn(kTurn);
  }
}

TEST(Child, OneThatSomebodyElseHasWaitedForHasEnded) {
  EventLoop loop;
  ChildOptions options;
  options.program = "/bin/true";
  auto pair = make_channel_pair();
  ASSERT_TRUE(pair);
  int told = 0;
  std::optional<ExitStatus> status;
  auto child = Child::spawn(loop, options, pair->second, [&](ExitStatus end) {
    ++told;
    status = end;
  });
  ASSERT_TRUE(child);
  ASSERT_EQ(::waitpid((*child)->pid(), nullptr, 0), (*child)->pid());
  for (int i = 0; i < 3; ++i) loop.turn(Duration{10});
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->unknown);
  EXPECT_EQ(status->to_string(), "ended, how is not known");
}

}  // namespace
}  // namespace mpb
