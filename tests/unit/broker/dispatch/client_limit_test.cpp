#include "broker/dispatch/client_limit.hpp"

#include <gtest/gtest.h>

#include "broker/workers/descriptor_plan.hpp"

namespace mpb {
namespace {

TEST(ClientLimit, IsTheConfiguredOne) {
  Settings settings;
  settings.max_clients = 7;
  EXPECT_EQ(client_limit(settings, 1000), 7U);
  settings.max_workers = 8;
  EXPECT_EQ(client_limit(settings, 1000), 7U);
}

TEST(ClientLimit, IsNoneWhenNoExtraWorkerCanCome) {
  Settings settings;
  EXPECT_EQ(client_limit(settings, 1000), 0U);
  settings.max_workers = settings.workers;
  EXPECT_EQ(client_limit(settings, 1000), 0U);
}

TEST(ClientLimit, IsWhatDescriptorsAllowWhenExtraWorkersMayCome) {
  Settings settings;
  settings.max_workers = 8;
  EXPECT_EQ(client_limit(settings, 1000), 875U);
  EXPECT_EQ(client_limit(settings, 0), 1U) << "0 would be none";
  EXPECT_EQ(client_limit(settings, UINT64_MAX), UINT32_MAX);
}

TEST(DeliveryWindow, WorkersThatDoNotReadLeaveHalfOfWhatMayBeInFlight) {
  EXPECT_EQ(delivery_window(20'000, 4), 256U);
  EXPECT_EQ(delivery_window(1'024, 4), 128U);
  EXPECT_EQ(delivery_window(1'024, 1), 256U);
  EXPECT_EQ(delivery_window(64, 100), 16U);
  EXPECT_EQ(delivery_window(0, 0), 16U);
}

}  // namespace
}  // namespace mpb
