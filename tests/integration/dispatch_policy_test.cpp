// Policies and what happens at a worker's limit.
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <memory>
#include <set>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

using Clients = std::vector<std::unique_ptr<Client>>;

Client& add(Clients& clients, const BrokerProcess& broker) {
  return *clients.emplace_back(std::make_unique<Client>(broker.port()));
}

std::map<std::string, int> owners(const BrokerProcess& broker) {
  Crowd crowd(broker.port(), 60);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 60U) << crowd.failures();
  std::map<std::string, int> workers;
  for (const Who& who : crowd.who()) workers[who.id] = who.worker;
  return workers;
}

TEST(Policy, HashGivesAnIdTheSameSlotInEveryRun) {
  const std::vector<std::string> arguments{"--workers", "3", "--policy", "hash"};
  std::map<std::string, int> first;
  {
    const BrokerProcess broker(arguments);
    first = owners(broker);
  }
  const BrokerProcess broker(arguments);
  EXPECT_EQ(owners(broker), first);
  std::set<int> used;
  for (const auto& [id, worker] : first) used.insert(worker);
  EXPECT_EQ(used.size(), 3U);
}

TEST(Policy, HashMovesFewIdsWhenAWorkerIsAdded) {
  std::map<std::string, int> with_two;
  {
    const BrokerProcess broker({"--workers", "2", "--policy", "hash"});
    with_two = owners(broker);
  }
  const BrokerProcess broker({"--workers", "3", "--policy", "hash"});
  for (const auto& [id, worker] : owners(broker)) {
    EXPECT_TRUE(worker == with_two[id] || worker == 2) << "id " << id;
  }
}

TEST(Policy, P2cIsStickyAndUsesAllWorkers) {
  const BrokerProcess broker({"--workers", "3", "--policy", "p2c"});
  Crowd crowd(broker.port(), 300);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i % 60; }), 300U) << crowd.failures();
  EXPECT_TRUE(crowd.split_ids().empty());
  EXPECT_EQ(crowd.per_worker().size(), 3U);
}

TEST(Policy, LocalLeavesANewIdWithTheWorkerThatAcceptedIt) {
  const BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--policy", "local"});
  Clients clients;
  for (int id = 0; id < 10; ++id) {
    const Who who = add(clients, broker).join(id);
    EXPECT_EQ(who.worker, 0);
    EXPECT_EQ(who.hops, 0);
  }
}

TEST(Policy, WithoutStickinessAnIdHasNoOwner) {
  const BrokerProcess broker({"--workers", "2", "--sticky", "no"});
  Clients clients;
  std::set<int> workers;
  for (int i = 0; i < 8; ++i) workers.insert(add(clients, broker).join(1).worker);
  EXPECT_EQ(workers.size(), 2U);
  EXPECT_EQ(broker.status().keys, 0);
}

TEST(Overflow, SpillSendsClientsOfAFullOwnerElsewhere) {
  const BrokerProcess broker({"--workers", "2", "--max-clients", "3", "--overflow", "spill"});
  Clients clients;
  std::map<int, int> counts;
  for (int i = 0; i < 6; ++i) ++counts[add(clients, broker).join(1).worker];
  EXPECT_EQ(counts, (std::map<int, int>{{0, 3}, {1, 3}}));
}

TEST(Overflow, RefuseTellsClientsOfAFullOwnerThatItIsBusy) {
  const BrokerProcess broker({"--workers", "2", "--max-clients", "3", "--overflow", "refuse"});
  Clients clients;
  std::set<int> workers;
  for (int i = 0; i < 3; ++i) workers.insert(add(clients, broker).join(1).worker);
  EXPECT_EQ(workers.size(), 1U);
  Client refused(broker.port());
  EXPECT_EQ(refused.claim(1), kBusy);
  EXPECT_TRUE(refused.sees_eof());
  EXPECT_EQ(add(clients, broker).claim(2), kHello) << "another id has room at the other worker";
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.rejected.busy; }), 1);
}

TEST(Overflow, AClientThatStaysWithItsIdIsNotAffected) {
  const BrokerProcess broker({"--workers", "1", "--max-clients", "1"});
  Client only(broker.port());
  EXPECT_EQ(only.claim(1), kHello);
  EXPECT_EQ(only.claim(1), kHello);
  EXPECT_EQ(only.claim(2), kHello) << "its own place is enough for it";
  EXPECT_EQ(only.message(), kHello);
}

TEST(Overflow, AWorkerThatFillsUpWhileTheBrokerDecidesStaysWithinItsLimit) {
  const BrokerProcess broker(
      {"--workers", "1", "--max-workers", "1", "--max-clients", "10", "--overflow", "refuse"});
  Clients own;
  EXPECT_EQ(add(own, broker).claim(1), kHello);
  broker.signal(SIGSTOP);
  Crowd undecided(broker.port(), 8);
  for (Client& client : undecided.clients()) client.send(claim_bytes(2));
  // Nobody need be asked about these; they come behind those that wait for the broker.
  for (int i = 0; i < 6; ++i) EXPECT_EQ(add(own, broker).claim(1), kHello);
  broker.signal(SIGCONT);
  std::map<std::string, int> answers;
  for (Client& client : undecided.clients()) ++answers[client.read_text()];
  EXPECT_EQ(answers[std::string(kHello)], 3);
  EXPECT_EQ(answers[std::string(kBusy)], 5);
}

TEST(Overflow, AKeyThatAFullWorkerWasToKeepFindsAnotherWorkerAndHasOne) {
  const BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--policy", "local",
                              "--max-clients", "10", "--overflow", "refuse"});
  Clients own;
  EXPECT_EQ(add(own, broker).claim(1), kHello);
  broker.signal(SIGSTOP);
  Crowd undecided(broker.port(), 8);
  for (Client& client : undecided.clients()) client.send(claim_bytes(2) + "W");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(add(own, broker).claim(1), kHello);
  broker.signal(SIGCONT);
  for (Client& client : undecided.clients()) {
    EXPECT_EQ(client.read_text(), kHello);
    EXPECT_EQ(client.read_who().worker, 1);
  }
  EXPECT_EQ(broker.worker(0).handoffs.nacked, 8);
  EXPECT_EQ(broker.worker(1).keys, 1);
}

TEST(Limits, ClientsPerSourceAddress) {
  const BrokerProcess broker({"--workers", "1", "--clients-per-source", "3"});
  Clients clients;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(add(clients, broker).claim(i), kHello);
  Client fourth(broker.port());
  const std::string answer = fourth.claim(9);
  EXPECT_TRUE(answer == kEof || answer == kReset) << answer;
  Client elsewhere(broker.port(), "127.0.0.2");
  EXPECT_EQ(elsewhere.claim(9), kHello);
  EXPECT_EQ(broker.worker(0).rejected.source, 1);
}

TEST(Limits, ClientsPerSourceAddressHoldsForThoseHandedOver) {
  const BrokerProcess broker(
      {"--workers", "2", "--acceptors", "1", "--route", "*=1", "--clients-per-source", "3"});
  Clients clients;
  int served = 0;
  for (int i = 0; i < 12; ++i) served += add(clients, broker).claim(i) == kHello ? 1 : 0;
  EXPECT_GE(served, 3);
  EXPECT_LE(served, 6) << "each worker counts, so that there may be three at each";
}

TEST(Limits, APlaceOfASourceAddressIsFreeAgainWhenItsClientHasGone) {
  const BrokerProcess broker({"--workers", "1", "--clients-per-source", "1"});
  for (int i = 0; i < 5; ++i) {
    Client client(broker.port());
    EXPECT_EQ(client.claim(i), kHello);
    client.close();
    EXPECT_TRUE(broker.await_held(0));
  }
}

}  // namespace
}  // namespace mpb::test
