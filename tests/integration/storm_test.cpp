// Ten thousand clients at once.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

std::size_t storm_size() {
  const std::size_t wanted = slow_factor() > 1 ? 2'000 : 10'000;
  const std::size_t possible = descriptors_for_clients();
  if (possible >= wanted) return wanted;
  std::cout << "[  CAPPED  ] " << possible << " instead of " << wanted
            << " clients: raise the hard limit of descriptors (ulimit -Hn)\n";
  testing::Test::RecordProperty("capped_by_descriptors", static_cast<int>(possible));
  return possible;
}

TEST(Storm, AllAreAnsweredAtOnceAndAgainWithOtherIds) {
  const BrokerProcess broker({"--workers", "4"});
  const auto idle = broker.fd_counts();
  {
    Crowd crowd(broker.port(), storm_size());
    const std::size_t all = crowd.clients().size();
    ASSERT_EQ(crowd.join([](std::size_t i) { return i % 997; }), all) << crowd.failures();
    EXPECT_TRUE(crowd.split_ids().empty());
    EXPECT_EQ(crowd.per_worker().size(), 4U);
    ASSERT_EQ(crowd.join([](std::size_t i) { return 100'000 + i % 1009; }), all)
        << crowd.failures();
    EXPECT_TRUE(crowd.split_ids().empty());
    EXPECT_EQ(crowd.message(), all) << crowd.failures();
    EXPECT_TRUE(broker.await_held(static_cast<std::int64_t>(all)));
  }
  EXPECT_TRUE(broker.await_held(0));
  EXPECT_TRUE(broker.await_fd_counts(idle)) << "no descriptor is left over";
}

TEST(Storm, TheLoadClientVerifiesEveryAnswer) {
  const BrokerProcess broker({"--workers", "4"});
  const Outcome outcome =
      run("mpclient",
          {"127.0.0.1", std::to_string(broker.port()), "--clients", std::to_string(storm_size()),
           "--storm", "--ids", "uniform:500", "--messages", "1", "--verify", "--timeout", "60s"},
          100s);
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.out << outcome.err;
  EXPECT_TRUE(broker.await_held(0));
}

TEST(Storm, OneWorkerHandsOverThousandsAtOnce) {
  const BrokerProcess broker({"--workers", "3", "--acceptors", "1", "--route", "*=1,2"});
  Client bystander(broker.port());
  ASSERT_EQ(bystander.claim(1), kHello);
  Crowd crowd(broker.port(), storm_size() / 2);
  const std::size_t all = crowd.clients().size();
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), all) << crowd.failures();
  EXPECT_EQ(crowd.per_worker().count(0), 0U);
  EXPECT_EQ(bystander.message(), kHello);
}

}  // namespace
}  // namespace mpb::test
