#include "broker/workers/quota_watch.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/support/exceeded_quota.hpp"

namespace mpb {
namespace {

constexpr std::size_t kAll = 10'000;

TEST(QuotaWatch, SaysWhetherADescriptorMayBePassed) {
  for (int i = 0; i < 1'000; ++i)
    ASSERT_FALSE(may_pass_no_descriptor()) << "it leaves nothing in flight";
  {
    const test::ExceededQuota quota;
    if (!quota.exceeded()) GTEST_SKIP() << "this kernel or user has no quota";
    EXPECT_TRUE(may_pass_no_descriptor());
  }
  EXPECT_FALSE(may_pass_no_descriptor());
}

TEST(QuotaWatch, CountsWhatWaitsInTheSocketsOfAProcess) {
  const std::uint64_t before = descriptors_queued_in(::getpid(), 0, {0, kAll}).count;
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  ASSERT_TRUE(test::pass_copies(ends[0], ends[0], 5));
  if (descriptors_queued_in(::getpid(), 0, {0, kAll}).count == before)
    GTEST_SKIP() << "/proc does not tell";
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, {0, kAll}).count, before + 5);
  const auto last = static_cast<std::size_t>(ends[1]);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, {last, 1}).count, 5U);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, {last + 1, kAll}).count, 0U);
  struct stat status {};
  ASSERT_EQ(::fstat(ends[1], &status), 0);
  EXPECT_EQ(descriptors_queued_in(::getpid(), status.st_ino, {0, kAll}).count, before);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, {0, 0}).count, 0U);
  for (const int end : ends) ::close(end);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, {0, kAll}).count, before);
}

TEST(QuotaWatch, CountsWhatWaitsInTheSocketsOfChildren) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  ASSERT_TRUE(test::pass_copies(ends[0], ends[0], 5));
  const std::uint64_t own = descriptors_queued_in(::getpid(), 0, {0, kAll}).count;
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  for (const int end : ends) ::close(end);
  const std::uint64_t left = descriptors_left_by(::getpid(), 0, {0, kAll}).count;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  if (own == 0) GTEST_SKIP() << "/proc does not tell";
  EXPECT_GE(left, 5U);
  EXPECT_EQ(descriptors_left_by(::getpid(), 0, {0, kAll}).count, own - 5);
}

TEST(QuotaWatch, FindsWhoUsesItUp) {
  using All = std::vector<QueuedDescriptors>;
  EXPECT_EQ(who_uses_up(All{{0, false}, {900, false}, {1, false}}, 1'024), 1U);
  EXPECT_EQ(who_uses_up(All{{5, false}, {900, true}, {1, true}}, 1'024), 1U);
  EXPECT_EQ(who_uses_up(All{{5, false}, {0, true}, {1, false}}, 1'024), 1U) << "it hides them";
  EXPECT_EQ(who_uses_up(All{{0, true}, {5, true}}, 1'024), 1U) << "all hide alike";
  EXPECT_EQ(who_uses_up(All{{0, false}, {5, false}}, 1'024), 1U);
  EXPECT_EQ(who_uses_up(All{{0, true}, {0, true}}, 1'024), std::nullopt);
  EXPECT_EQ(who_uses_up(All{{0, false}}, 1'024), std::nullopt);
  EXPECT_EQ(who_uses_up({}, 1'024), std::nullopt);
}

}  // namespace
}  // namespace mpb
