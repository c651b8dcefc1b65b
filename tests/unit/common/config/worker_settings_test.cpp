#include "common/config/worker_settings.hpp"

#include <gtest/gtest.h>

namespace mpb {
namespace {

using Values = std::vector<std::uint64_t>;

WorkerSettings of(const Values& values) {
  return settings_of(values);
}

TEST(WorkerSettings, AreTheSameBehindTheChannel) {
  const Values values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 2};
  EXPECT_EQ(values_of(of(values)), values) << "each once, in one order";
  const WorkerSettings settings = of(values);
  EXPECT_EQ(settings.max_clients, 1U);
  EXPECT_EQ(settings.clients_per_source, 2U);
  EXPECT_EQ(settings.silence_timeout, Duration{3});
  EXPECT_EQ(settings.header_timeout, Duration{4});
  EXPECT_EQ(settings.idle_timeout, Duration{5});
  EXPECT_EQ(settings.send_timeout, Duration{6});
  EXPECT_EQ(settings.route_timeout, Duration{7});
  EXPECT_EQ(settings.key_linger, Duration{8});
  EXPECT_EQ(settings.drain_timeout, Duration{9});
  EXPECT_EQ(settings.gop_memory, 10U);
  EXPECT_EQ(settings.media_memory, 11U);
  EXPECT_EQ(settings.cell, 12U);
  EXPECT_EQ(settings.after_broker, 2U);
}

TEST(WorkerSettings, OfABrokerOfAnotherBuildAreTakenAsFarAsTheyAreKnown) {
  EXPECT_EQ(of({7}).max_clients, 7U);
  EXPECT_EQ(of({7}).header_timeout, WorkerSettings().header_timeout);
  EXPECT_EQ(values_of(of(Values(50, 1))), Values(13, 1));
}

TEST(WorkerSettings, TimesCanBeAddedUp) {
  const WorkerSettings settings = of(Values(11, UINT64_MAX));
  EXPECT_EQ(settings.idle_timeout, Duration{UINT32_MAX});
  EXPECT_EQ(settings.max_clients, UINT32_MAX);
  EXPECT_EQ(settings.media_memory, UINT64_MAX);
}

}  // namespace
}  // namespace mpb
