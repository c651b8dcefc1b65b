// The broker paused or out of descriptors: nobody is lost.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr Duration kPause{3'000};

std::vector<pid_t> worker_pids(const BrokerProcess& broker) {
  std::vector<pid_t> pids;
  for (const WorkerStatus& worker : broker.status().workers) pids.push_back(worker.pid);
  return pids;
}

TEST(BrokerStress, PausedForSecondsItLosesNobody) {
  const BrokerProcess broker({"--workers", "3", "--ping-limit", "2s"});
  const auto pids = worker_pids(broker);
  Crowd served(broker.port(), 30);
  ASSERT_EQ(served.join([](std::size_t i) { return i; }), 30U) << served.failures();
  broker.signal(SIGSTOP);
  Crowd waiting(broker.port(), 300);
  for (Client& client : waiting.clients()) client.send("W");  // served where it was accepted
  for (Client& client : waiting.clients()) EXPECT_EQ(client.read_who().id, "-");
  for (std::size_t i = 0; i < waiting.clients().size(); ++i) {
    waiting.clients()[i].send(claim_bytes(static_cast<std::int32_t>(1000 + i)) + "W");
  }
  EXPECT_TRUE(throughout(kPause, [&] { return served.message() == 30U; }))
      << "those that are served do not notice";
  broker.signal(SIGCONT);
  for (Client& client : waiting.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_NE(client.read_who().worker, -1);
  }
  EXPECT_TRUE(throughout(1500ms, [&] { return served.message() == 30U; }));
  EXPECT_EQ(worker_pids(broker), pids) << "workers are not taken for hung after a pause";
}

TEST(BrokerStress, AtItsDescriptorLimitItLosesNobody) {
  const BrokerProcess broker({"--workers", "3", "--acceptors", "1"});
  const auto pids = worker_pids(broker);
  Client before(broker.port());
  const Who who = before.join(1);
  forbid_descriptors(broker.pid());
  Crowd crowd(broker.port(), 200);
  for (std::size_t i = 0; i < crowd.clients().size(); ++i) {
    crowd.clients()[i].send(claim_bytes(static_cast<std::int32_t>(100 + i)) + "W");
  }
  EXPECT_TRUE(throughout(500ms, [&] { return before.message() == kHello; }));
  allow_descriptors(broker.pid());
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_NE(client.read_who().worker, -1);
  }
  EXPECT_EQ(worker_pids(broker), pids);
  Client other(broker.port());
  EXPECT_EQ(other.join(1).pid, who.pid);
}

TEST(BrokerStress, WithFewDescriptorsItDispatchesAnyNumberOfClients) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "2"};
  setup.descriptors = 128;
  const BrokerProcess broker(setup);
  Crowd crowd(broker.port(), 80);
  for (std::int32_t round = 0; round < 10; ++round) {
    EXPECT_EQ(crowd.join([&](std::size_t i) { return 1000 * round + static_cast<int>(i); }), 80U)
        << crowd.failures();
  }
}

TEST(BrokerStress, ItHoldsNoClient) {
  const BrokerProcess broker({"--workers", "3"});
  const std::size_t idle = broker.fd_counts().at(broker.pid());
  Crowd crowd(broker.port(), 500);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 500U) << crowd.failures();
  EXPECT_TRUE(eventually([&] { return descriptors_of(broker.pid()) == idle; }));
  EXPECT_TRUE(broker.await_held(500));
  EXPECT_EQ(broker.status().in_flight, 0);
}

TEST(BrokerStress, AWorkerKilledWhileTheBrokerIsPausedIsSeenAfterwards) {
  const BrokerProcess broker({"--workers", "2"});
  const pid_t victim = broker.worker_pid(0);
  broker.signal(SIGSTOP);
  ::kill(victim, SIGKILL);
  Crowd crowd(broker.port(), 40);
  for (Client& client : crowd.clients()) client.send(claim_bytes(3) + "W");
  broker.signal(SIGCONT);
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_EQ(client.read_who().id, "3");
  }
  EXPECT_TRUE(broker.await_workers(2));
  EXPECT_TRUE(zombies_of(broker.pid()).empty());
}

}  // namespace
}  // namespace mpb::test
