// Processes that are not this one's children any more: how they ended, and that they are ended.
#include "common/process/exit_reports.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <optional>

#include "common/process/child.hpp"

namespace mpb {
namespace {

class ExitReportsTest : public testing::Test {
 protected:
  ExitReportsTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    guard.reset(ends[0]);
    EXPECT_TRUE(reports.open(UniqueFd(ends[1])));
  }
  void report(pid_t pid, int status) {
    const struct {
      std::uint32_t pid;
      std::int32_t status;
    } told{static_cast<std::uint32_t>(pid), status};
    ASSERT_EQ(::send(guard.get(), &told, sizeof told, 0), static_cast<ssize_t>(sizeof told));
  }

  EventLoop loop;
  ExitReports reports{loop};
  UniqueFd guard;
};

TEST_F(ExitReportsTest, EachIsGivenOnce) {
  report(4711, 2 << 8);
  report(4712, SIGKILL);
  EXPECT_EQ(reports.take(4712), SIGKILL);
  EXPECT_EQ(reports.take(4711), 2 << 8);
  EXPECT_FALSE(reports.take(4711));
}

TEST_F(ExitReportsTest, AProcessThatWasTakenOverEndsAsReported) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(3);
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(pidfd);
  std::optional<ExitStatus> ended;
  auto child = Child::take_over(loop, pid, std::move(pidfd), reports,
                                [&ended](ExitStatus status) { ended = std::move(status); });
  ASSERT_TRUE(child);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);  // as the guard does
  report(pid, status);
  while (!ended) loop.turn(Duration{100});
  EXPECT_EQ(ended->code, 3);
  EXPECT_FALSE(ended->unknown);
}

TEST_F(ExitReportsTest, WithoutAReportItIsNotKnownHow) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(3);
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::optional<ExitStatus> ended;
  auto child = Child::take_over(loop, pid, std::move(pidfd), reports,
                                [&ended](ExitStatus status) { ended = std::move(status); });
  ASSERT_TRUE(child);
  while (!ended) loop.turn(Duration{100});
  EXPECT_TRUE(ended->unknown);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(ExitReportsTest, AProcessThatWasTakenOverIsKilledWithItsObject) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ASSERT_TRUE(Child::take_over(loop, pid, std::move(pidfd), reports, [](const ExitStatus&) {}));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace mpb
