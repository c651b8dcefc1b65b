// More for one worker at once than its channel holds.
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

/// Each client claims `keys_each` ids of its own, one after the other. Returns how many of the
/// claims were answered with the greeting.
std::size_t claim_many(Crowd& crowd, std::size_t keys_each) {
  std::vector<Client>& clients = crowd.clients();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    std::string claims;
    for (std::size_t k = 0; k < keys_each; ++k) {
      claims += claim_bytes(static_cast<std::int32_t>(i * keys_each + k));
    }
    clients[i].send(claims);
  }
  std::size_t greeted = 0;
  for (Client& client : clients) {
    for (std::size_t k = 0; k < keys_each; ++k) greeted += client.read_text() == kHello ? 1 : 0;
  }
  return greeted;
}

TEST(Overload, AWorkerThatLosesAllItsKeysAtOnceIsNotEjected) {
  constexpr std::size_t kClients = 50;
  const std::size_t keys_each = 400U / static_cast<std::size_t>(slow_factor());
  const auto keys = static_cast<std::int64_t>(kClients * keys_each);
  const BrokerProcess broker({"--workers", "2", "--route", "*=1", "--key-linger", "60s"});
  const pid_t owner = broker.worker_pid(1);
  Crowd crowd(broker.port(), kClients);
  ASSERT_EQ(claim_many(crowd, keys_each), kClients * keys_each);
  ASSERT_TRUE(eventually([&] { return broker.worker(1).keys == keys; }));

  EXPECT_TRUE(broker.request({{"command", "route"}, {"key", "*"}, {"slots", boost::json::array{0}}})
                  .at("ok")
                  .as_bool());
  EXPECT_TRUE(eventually([&] { return broker.worker(1).keys == 0; })) << broker.worker(1).keys;
  EXPECT_EQ(crowd.message(), kClients) << crowd.failures();
  EXPECT_EQ(broker.worker_pid(1), owner);
  EXPECT_EQ(broker.worker(1).restarts, 0);
  EXPECT_EQ(Client(broker.port()).join(1).worker, 0);
}

TEST(Overload, ClientsThatTimeOutBeforeAStoppedWorkerDoNotCostTheirOrigin) {
  // The first are as many as the stopped worker is sent. The others alone fill the window of offers
  // without a verdict.
  constexpr std::int64_t kDelivered = 250;
  constexpr std::int64_t kWaiting = 1200;
  const BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--route", "*=1", "--route",
                              "1=0", "--route-timeout", "500ms", "--ping-limit", "60s"});
  const BrokerStatus before = broker.status();
  Client old(broker.port());
  ASSERT_EQ(old.join(1).worker, 0);
  ::kill(before.worker(1).pid, SIGSTOP);

  const auto all_time_out = [&](std::int64_t accepted) {
    return eventually([&] {
      const WorkerStatus origin = broker.worker(0);
      return origin.accepted == accepted && origin.held == 1;
    });
  };
  Crowd delivered(broker.port(), kDelivered);
  for (Client& client : delivered.clients()) client.send(claim_bytes(10));
  ASSERT_TRUE(all_time_out(1 + kDelivered));
  EXPECT_EQ(broker.worker(0).closed.unsettled, kDelivered);
  Crowd waiting(broker.port(), kWaiting);
  for (Client& client : waiting.clients()) client.send(claim_bytes(10));
  EXPECT_TRUE(all_time_out(1 + kDelivered + kWaiting));
  EXPECT_EQ(old.message(), kHello);
  EXPECT_EQ(broker.worker_pid(0), before.worker(0).pid);

  ::kill(before.worker(1).pid, SIGCONT);
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(10) == kHello; }));
  EXPECT_EQ(old.message(), kHello);
  const BrokerStatus after = broker.status();
  for (const int slot : {0, 1}) {
    EXPECT_EQ(after.worker(slot).pid, before.worker(slot).pid);
    EXPECT_EQ(after.worker(slot).restarts, 0);
  }
}

TEST(Overload, WhatAStoppedWorkerDoesNotReadWaitsForIt) {
  BrokerSetup setup;
  setup.config =
      "workers = 2\nping-interval = 200ms\nping-limit = 60s\n"
      "[listener main]\nlisten = 127.0.0.1:PORT\nroute = 1=1\n";
  for (int i = 0; i < 30; ++i) {
    setup.config += "[listener l" + std::to_string(i) + "]\nlisten = 127.0.0.1:0\n";
  }
  const BrokerProcess broker(setup);
  const pid_t stopped = broker.worker_pid(1);
  ::kill(stopped, SIGSTOP);
  // Each reload tells a worker of all listeners; at last its socket is full.
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20; ++i) broker.request({{"command", "reload"}});
    return broker.worker(1).queue_high_water.broker > 0;
  }));
  ::kill(stopped, SIGCONT);
  EXPECT_EQ(Client(broker.port()).join(1).pid, stopped) << "it has read all, and was not ejected";
}

}  // namespace
}  // namespace mpb::test
