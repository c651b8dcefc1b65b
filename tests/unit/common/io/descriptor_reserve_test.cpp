#include "common/io/descriptor_reserve.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "broker/workers/descriptor_plan.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {
namespace {

/// Lowers RLIMIT_NOFILE for as long as it lives.
class DescriptorReserveTest : public testing::Test {
 protected:
  static constexpr rlim_t kLimit = 80;

  DescriptorReserveTest() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{kLimit, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~DescriptorReserveTest() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

  static UniqueFd open_one() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  rlimit before_{};
};

TEST_F(DescriptorReserveTest, IsAQuarterOfAFewAnd64OfMany) {
  EXPECT_EQ(descriptor_reserve(64), 16U);
  EXPECT_EQ(descriptor_reserve(256), 64U);
  EXPECT_EQ(descriptor_reserve(1'000'000), 64U);
  EXPECT_EQ(descriptor_limit(), kLimit);
}

TEST_F(DescriptorReserveTest, IsLeftByWhatStaysOpen) {
  std::vector<UniqueFd> open;
  while (has_descriptors_for(1)) {
    open.push_back(open_one());
    ASSERT_TRUE(may_stay_open(open.back().get()));
  }
  EXPECT_EQ(open.back().get(), static_cast<int>(kLimit - descriptor_reserve(kLimit)) - 1);
  std::vector<UniqueFd> passing;
  for (std::uint64_t i = 0; i < descriptor_reserve(kLimit); ++i) {
    passing.push_back(open_one());
    ASSERT_TRUE(passing.back()) << i;
    EXPECT_FALSE(may_stay_open(passing.back().get()));
    EXPECT_EQ(may_assist_a_client(passing.back().get()), i < descriptor_reserve(kLimit) / 2);
  }
  EXPECT_FALSE(open_one());
  EXPECT_FALSE(has_descriptors_for(1));
  passing.clear();
  open.resize(open.size() - 3);
  EXPECT_TRUE(has_descriptors_for(3));
  EXPECT_FALSE(has_descriptors_for(4));
}

TEST_F(DescriptorReserveTest, IsLeftWhereAHoleIsFilled) {
  std::vector<UniqueFd> open;
  while (UniqueFd one = open_one()) open.push_back(std::move(one));
  open[open.size() / 4].reset();
  EXPECT_TRUE(has_descriptors_for(1)) << "a low number";
  EXPECT_FALSE(has_descriptors_for(2));
}

TEST(DescriptorPlan, HowManyWorkersMayRun) {
  EXPECT_EQ(workers_within(64, 10), 16U);
  EXPECT_EQ(workers_within(1'024, 20), 467U);
  EXPECT_EQ(workers_within(20, 30), 0U);
}

}  // namespace
}  // namespace mpb
