// The broker is killed: its workers serve the clients that they have, and take no others.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// Worker 0 accepts; id 1 is its own, id 2 is worker 1's.
class BrokerDeath : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(at_zero.join(1).worker, 0);
    ASSERT_EQ(at_one.join(2).worker, 1);
    workers = broker.processes();
    ASSERT_EQ(workers.size(), 2U);
    broker.signal(SIGKILL);
    ASSERT_EQ(broker.wait_exit(), "signal 9");
  }

  BrokerProcess broker{{"--workers", "2", "--acceptors", "1", "--route", "1=0", "--route", "2=1",
                        "--route-timeout", "60s", "--on-broker-death", "serve"}};
  Client at_zero{broker.port()};
  Client at_one{broker.port()};
  std::vector<pid_t> workers;
};

TEST_F(BrokerDeath, WorkersServeTheClientsTheyHave) {
  EXPECT_TRUE(
      throughout(1s, [&] { return at_zero.message() == kHello && at_one.message() == kHello; }));
  EXPECT_EQ(at_zero.who().id, "1");
  EXPECT_EQ(at_one.who().id, "2");
  EXPECT_EQ(broker.processes(), workers);
}

TEST_F(BrokerDeath, NewClientsAreNotLeftWaiting) {
  EXPECT_TRUE(eventually([&] { return is_refused(broker.port()); }));
  EXPECT_TRUE(throughout(300ms, [&] { return is_refused(broker.port()); }));
  EXPECT_EQ(at_zero.message(), kHello);
}

TEST_F(BrokerDeath, AClientStaysWithTheKeyItHas) {
  EXPECT_EQ(at_zero.claim(1), kHello);
  EXPECT_EQ(at_one.claim(2), kHello);
}

TEST_F(BrokerDeath, AClientThatMovesIsRefusedAtOnce) {
  const Stopwatch watch;
  EXPECT_EQ(at_zero.claim(2), kBusy) << "nobody can take it there";
  EXPECT_TRUE(at_zero.sees_eof());
  EXPECT_LE(watch.elapsed(), 5s) << "route-timeout is longer";
  EXPECT_EQ(at_one.message(), kHello);
}

TEST_F(BrokerDeath, AClosedClientStillSeesTheEndAtOnce) {
  at_one.send("Z");
  EXPECT_EQ(at_one.read_text(), "error: expected C, M or W");
  EXPECT_TRUE(at_one.sees_eof());
}

TEST_F(BrokerDeath, WorkersEndWhenTold) {
  for (const pid_t worker : workers) ::kill(worker, SIGTERM);
  EXPECT_EQ(at_zero.message(), kHello) << "they drain";
  at_zero.close();
  at_one.close();
  EXPECT_TRUE(eventually([&] {
    return std::none_of(workers.begin(), workers.end(), [](pid_t pid) { return is_running(pid); });
  }));
}

TEST_F(BrokerDeath, WorkersEndWithTheirLastClient) {
  at_zero.close();
  EXPECT_TRUE(eventually([&] { return !is_running(workers[0]) || !is_running(workers[1]); }));
  EXPECT_EQ(at_one.message(), kHello);
  at_one.close();
  EXPECT_TRUE(eventually([&] {
    return std::none_of(workers.begin(), workers.end(), [](pid_t pid) { return is_running(pid); });
  }));
}

TEST_F(BrokerDeath, ANewBrokerTakesTheAddressWhileTheyServe) {
  ASSERT_TRUE(eventually([&] { return is_refused(broker.port()); }));
  BrokerSetup setup;
  setup.port = broker.port();
  setup.arguments = {"--workers", "2"};
  BrokerProcess fresh(setup);
  for (int id = 1; id < 20; ++id) {
    Client client(fresh.port());
    const Who who = client.join(id);
    EXPECT_EQ(std::count(workers.begin(), workers.end(), who.pid), 0);
  }
  EXPECT_EQ(at_zero.message(), kHello);
  EXPECT_EQ(at_one.message(), kHello);
}

TEST(BrokerDeathWithoutSuccessor, WorkersDrainAndEndInTime) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "2s"});
  Client client(broker.port());
  const pid_t worker = client.join(1).pid;
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  EXPECT_TRUE(eventually([&] { return is_refused(broker.port()); }));
  EXPECT_EQ(client.message(), kHello) << "it is served while it drains";
  EXPECT_TRUE(eventually([&] { return !is_running(worker); })) << "though its client stays";
  EXPECT_TRUE(client.sees_eof());
}

TEST(BrokerDeathOnASharedSocket, TheNextBrokersWorkersGetAllClients) {
  BrokerSetup setup;
  setup.port = free_port();
  const UniqueFd socket = listen_on(loopback(*setup.port), 64).value();
  setup.inherited = {socket.get()};
  setup.arguments = {"--workers", "2", "--route-timeout", "60s", "--on-broker-death", "serve"};
  BrokerProcess first(setup);
  Client old(*setup.port);
  const pid_t orphan = old.join(1).pid;
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait_exit(), "signal 9");
  const BrokerProcess second(setup);
  for (int id = 0; id < 40; ++id) {
    Client client(*setup.port);
    EXPECT_NE(client.join(id).pid, orphan);
  }
  EXPECT_EQ(old.message(), kHello);
}

TEST(BrokerDeathInHandover, ClientsOnTheirWayAreServedByOneWorkerOrRefused) {
  BrokerProcess broker(
      {"--workers", "2", "--acceptors", "1", "--route", "*=1", "--route-timeout", "60s"});
  Crowd crowd(broker.port(), 200);
  for (Client& client : crowd.clients()) client.send(claim_bytes(1) + "W");
  broker.signal(SIGKILL);
  for (Client& client : crowd.clients()) {
    const std::string first = client.read_text();
    if (first == kHello) {
      EXPECT_EQ(client.read_who().worker, 1);
      EXPECT_TRUE(client.is_quiet()) << "one voice only";
    } else {
      // Offered without an answer: another worker may have it, so it is closed without a word.
      EXPECT_TRUE(first == kBusy || first == kEof || first == kReset) << first;
    }
  }
}

}  // namespace
}  // namespace mpb::test
