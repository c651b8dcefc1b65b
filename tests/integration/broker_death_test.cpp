// The broker is killed: its workers go on without it.
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
                        "--route-timeout", "1s"}};
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

TEST_F(BrokerDeath, WorkersAcceptClientsThatAreTheirs) {
  for (int i = 0; i < 20; ++i) {
    Client client(broker.port());
    EXPECT_EQ(client.join(1).worker, 0);
  }
  Client without_id(broker.port());
  EXPECT_EQ(without_id.message(), kHello);
}

TEST_F(BrokerDeath, ClientsOfOthersAreRefusedAfterABoundedWait) {
  for (const int id : {2, 3}) {
    const Stopwatch watch;
    Client client(broker.port());
    EXPECT_EQ(client.claim(id), kBusy);
    EXPECT_TRUE(client.sees_eof());
    EXPECT_LT(watch.elapsed(), 10s) << "route-timeout by default";
  }
  EXPECT_EQ(at_zero.claim(2), kBusy) << "a client that wants to move has lost its place, too";
  EXPECT_TRUE(at_zero.sees_eof());
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

TEST_F(BrokerDeath, ANewBrokerCanStartAfreshBesideThem) {
  BrokerProcess fresh({"--workers", "2"});
  Client client(fresh.port());
  EXPECT_EQ(client.claim(2), kHello);
  EXPECT_EQ(at_one.message(), kHello);
}

TEST(BrokerDeathInHandover, ClientsOnTheirWayAreServedByOneWorkerOrRefused) {
  BrokerProcess broker(
      {"--workers", "2", "--acceptors", "1", "--route", "*=1", "--route-timeout", "1s"});
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
