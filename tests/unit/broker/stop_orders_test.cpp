#include "broker/stop_orders.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

constexpr pid_t kGuard = 7;
constexpr pid_t kOther = 9;
constexpr TimePoint kStart{};

TEST(StopOrdersTest, WithoutAGuardEachIsOneOfItsOwn) {
  StopOrders orders(std::nullopt);
  EXPECT_TRUE(orders.is_another(kOther, kStart));
  EXPECT_TRUE(orders.is_another(kOther, kStart));
  EXPECT_TRUE(orders.is_another(0, kStart));
}

TEST(StopOrdersTest, OneToTheProcessGroupIsOneOrder) {
  for (const bool guard_first : {false, true}) {
    StopOrders orders(kGuard);
    EXPECT_TRUE(orders.is_another(guard_first ? kGuard : kOther, kStart));
    EXPECT_FALSE(orders.is_another(guard_first ? kOther : kGuard, kStart + Duration{900}));
  }
}

TEST(StopOrdersTest, TheNextIsAnotherEvenAtOnce) {
  StopOrders orders(kGuard);
  EXPECT_TRUE(orders.is_another(kOther, kStart));
  EXPECT_FALSE(orders.is_another(kGuard, kStart));
  EXPECT_TRUE(orders.is_another(kOther, kStart));
  EXPECT_FALSE(orders.is_another(kGuard, kStart));
}

TEST(StopOrdersTest, TwoOfTheSameSenderAreTwo) {
  StopOrders orders(kGuard);
  EXPECT_TRUE(orders.is_another(kGuard, kStart));
  EXPECT_TRUE(orders.is_another(kGuard, kStart));
}

TEST(StopOrdersTest, MuchLaterIsAnother) {
  StopOrders orders(kGuard);
  EXPECT_TRUE(orders.is_another(kOther, kStart));
  EXPECT_TRUE(orders.is_another(kGuard, kStart + Duration{1'000}));
}

}  // namespace
}  // namespace mpb
