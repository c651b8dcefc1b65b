// Clients that are on their way when something breaks.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// Worker 0 accepts all; ids 1 belong to worker 1, ids 2 to worker 2.
class Handover : public testing::Test {
 protected:
  void SetUp() override {
    const Who who = at_one.join(1);
    ASSERT_EQ(who.worker, 1);
    pid_of_one = who.pid;
    pid_of_zero = broker.worker_pid(0);
    ASSERT_EQ(at_two.join(2).worker, 2);
    ASSERT_TRUE(broker.await_held(2)) << "no copy is left where they came from";
  }

  /// Waits until as many clients are on their way to worker 1.
  bool await_in_flight(std::int64_t count) {
    return eventually([&] { return broker.status().worker(1).in_flight == count; });
  }

  BrokerProcess broker{{"--workers", "3", "--acceptors", "1", "--route", "1=1", "--route", "2=2",
                        "--route-timeout", "60s"}};
  Client at_one{broker.port()};
  Client at_two{broker.port()};
  pid_t pid_of_one = -1;
  pid_t pid_of_zero = -1;
};

TEST_F(Handover, WhenTheTargetDiesTheClientIsDeliveredElsewhere) {
  broker.request({{"command", "route"}, {"key", "1"}, {"slots", {1, 2}}});
  ::kill(pid_of_one, SIGSTOP);
  Crowd crowd(broker.port(), 50);
  for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
  ASSERT_TRUE(await_in_flight(50));
  ::kill(pid_of_one, SIGKILL);
  int answered = 0;
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    const Who who = client.read_who();
    EXPECT_EQ(who.id, "1") << who.text;
    EXPECT_NE(who.pid, pid_of_one);
    if (who.id == "1") ++answered;
  }
  EXPECT_EQ(answered, 50);
  EXPECT_EQ(at_two.message(), kHello);
}

TEST_F(Handover, WhenTheTargetIsSlowTheClientWaitsAndIsServedOnce) {
  ::kill(pid_of_one, SIGSTOP);
  Crowd crowd(broker.port(), 50);
  for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
  ASSERT_TRUE(await_in_flight(50));
  EXPECT_EQ(at_two.message(), kHello);
  Client other(broker.port());
  EXPECT_EQ(other.join(2).worker, 2) << "clients of others do not wait";
  ::kill(pid_of_one, SIGCONT);
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_EQ(client.read_who().pid, pid_of_one);
    EXPECT_TRUE(client.is_quiet());
  }
}

TEST_F(Handover, WhenTheOriginDiesTheClientIsStillServedByTheTarget) {
  ::kill(pid_of_one, SIGSTOP);
  Crowd crowd(broker.port(), 50);
  for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
  ASSERT_TRUE(await_in_flight(50));
  ::kill(pid_of_zero, SIGKILL);
  ASSERT_TRUE(eventually([&] { return broker.worker(0).restarts == 1; }));
  ::kill(pid_of_one, SIGCONT);
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_EQ(client.read_who().pid, pid_of_one);
  }
  EXPECT_TRUE(broker.await_held(52));
}

TEST_F(Handover, MoreClientsThanTheWindowOfAStoppedTargetWait) {
  constexpr std::size_t kMany = 600;  // above the 256 that may be on their way to one worker
  ::kill(pid_of_one, SIGSTOP);
  Crowd crowd(broker.port(), kMany);
  for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
  ASSERT_TRUE(eventually([&] { return broker.status().in_flight > 200; }));
  Client other(broker.port());
  EXPECT_EQ(other.message(), kHello) << "the acceptor goes on";
  ::kill(pid_of_one, SIGCONT);
  std::size_t served = 0;
  for (Client& client : crowd.clients()) {
    if (client.read_text() == kHello && client.read_who().pid == pid_of_one) ++served;
  }
  EXPECT_EQ(served, kMany);
}

TEST_F(Handover, AClientThatLeavesOnItsWayIsNobodysProblem) {
  const auto counts = broker.fd_counts();
  ::kill(pid_of_one, SIGSTOP);
  {
    Crowd crowd(broker.port(), 50);
    for (Client& client : crowd.clients()) client.send(claim_bytes(1));
    ASSERT_TRUE(await_in_flight(50));
  }
  ::kill(pid_of_one, SIGCONT);
  EXPECT_TRUE(broker.await_held(2));
  EXPECT_TRUE(broker.await_fd_counts(counts));
  EXPECT_EQ(at_one.message(), kHello);
}

TEST_F(Handover, ATargetOutOfDescriptorsRefusesAndTheClientIsNotLost) {
  forbid_descriptors(pid_of_one);
  Client client(broker.port());
  client.send(claim_bytes(1) + "W");
  ASSERT_TRUE(eventually([&] { return broker.worker(1).handoffs.nacked > 0; }));
  EXPECT_EQ(at_one.message(), kHello);
  allow_descriptors(pid_of_one);
  EXPECT_EQ(client.read_text(), kHello) << "it waits, or is served elsewhere";
  EXPECT_EQ(client.read_who().id, "1");
}

}  // namespace
}  // namespace mpb::test
