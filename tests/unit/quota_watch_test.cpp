#include "broker/quota_watch.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>

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
  const std::uint64_t before = descriptors_queued_in(::getpid(), 0, kAll);
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  ASSERT_TRUE(test::pass_copies(ends[0], ends[0], 5));
  if (descriptors_queued_in(::getpid(), 0, kAll) == before) GTEST_SKIP() << "/proc does not tell";
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, kAll), before + 5);
  struct stat status {};
  ASSERT_EQ(::fstat(ends[1], &status), 0);
  EXPECT_EQ(descriptors_queued_in(::getpid(), status.st_ino, kAll), before);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, 0), 0U);
  for (const int end : ends) ::close(end);
  EXPECT_EQ(descriptors_queued_in(::getpid(), 0, kAll), before);
}

}  // namespace
}  // namespace mpb
