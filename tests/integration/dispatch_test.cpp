// Which worker serves whom: what users rely on.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

/// How many workers have accepted clients themselves.
std::int64_t accepting_workers(const BrokerProcess& broker) {
  return broker.status().sum(
      [](const WorkerStatus& worker) { return worker.accepted > 0 ? 1 : 0; });
}

TEST(Dispatch, AnIdMeetsOneWorkerWithClientsArrivingAtAllWorkersAtOnce) {
  const BrokerProcess broker({"--workers", "4"});
  std::vector<std::unique_ptr<Crowd>> crowds;
  // Which workers accept is the kernel's choice: in bursts it takes all of them, sooner or later.
  constexpr int kBursts = 10;
  for (int burst = 0; burst < kBursts; ++burst) {
    crowds.push_back(std::make_unique<Crowd>(broker.port(), 200));
    ASSERT_EQ(crowds.back()->join([](std::size_t i) { return i % 40; }), 200U)
        << crowds.back()->failures();
    if (burst > 0 && accepting_workers(broker) == 4) break;
  }
  EXPECT_GE(accepting_workers(broker), 2);
  std::map<std::string, std::set<int>> workers_of;
  for (const auto& crowd : crowds) {
    for (const Who& who : crowd->who()) workers_of[who.id].insert(who.worker);
  }
  EXPECT_EQ(workers_of.size(), 40U);
  std::set<int> all;
  for (const auto& [id, workers] : workers_of) {
    EXPECT_EQ(workers.size(), 1U) << "id " << id;
    all.insert(workers.begin(), workers.end());
  }
  EXPECT_EQ(all.size(), 4U) << "40 ids keep 4 workers busy";
  EXPECT_TRUE(eventually([&] {  // an origin knows a little later than the target
    const BrokerStatus status = broker.status();
    const auto in = status.sum([](const WorkerStatus& w) { return w.handoffs.in; });
    return in > 0 && in == status.sum([](const WorkerStatus& w) { return w.handoffs.out; });
  }));
}

TEST(Dispatch, AnIdKeepsItsWorkerWhileAnyOfItsClientsLives) {
  const BrokerProcess broker({"--workers", "3", "--key-linger", "0"});
  auto first = std::make_unique<Client>(broker.port());
  const int owner = first->join(1).worker;
  // Others make the owner the most loaded: only the ownership speaks for it.
  std::vector<std::unique_ptr<Client>> load;
  for (int i = 0; i < 6; ++i) {
    load.push_back(std::make_unique<Client>(broker.port()));
    ASSERT_EQ(load.back()->join(1).worker, owner);
  }
  for (int i = 0; i < 10; ++i) {
    auto next = std::make_unique<Client>(broker.port());
    EXPECT_EQ(next->join(1).worker, owner);
    first = std::move(next);  // the one before leaves
  }
}

TEST(Dispatch, AnIdWithoutClientsHasNoOwnerAfterTheLinger) {
  const BrokerProcess broker({"--workers", "2", "--key-linger", "100ms"});
  {
    Client client(broker.port());
    client.join(1);
    EXPECT_EQ(broker.status().keys, 1);
  }
  EXPECT_TRUE(eventually([&] {
    const BrokerStatus status = broker.status();
    return status.keys == 0 && status.sum([](const WorkerStatus& w) { return w.keys; }) == 0;
  }));
}

TEST(Dispatch, AClientMovesWithEachNewIdAndIsNeverInTwoPlaces) {
  const BrokerProcess broker({"--workers", "2", "--route", "0=0", "--route", "1=1"});
  Client client(broker.port());
  int hops = -1;
  for (int i = 0; i < 40; ++i) {
    const Who who = client.join(i % 2);
    EXPECT_EQ(who.worker, i % 2);
    EXPECT_GT(who.hops, hops) << "each move is counted";
    hops = who.hops;
  }
  EXPECT_TRUE(broker.await_held(1));
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.clients; }), 1);
}

TEST(Dispatch, PinnedIdsGoWhereTheyArePinned) {
  const BrokerProcess broker(
      {"--workers", "4", "--route", "5=3", "--route", "6=1,2", "--route", "*=0"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) {
    const auto join = [&](int id) {
      clients.push_back(std::make_unique<Client>(broker.port()));
      return clients.back()->join(id).worker;
    };
    EXPECT_EQ(join(5), 3);
    const int six = join(6);
    EXPECT_TRUE(six == 1 || six == 2) << six;
    EXPECT_EQ(join(100 + i), 0) << "no pin of its own";
  }
}

TEST(Dispatch, LeastDiffersByAtMostOneClient) {
  const BrokerProcess broker({"--workers", "3"});
  std::vector<std::unique_ptr<Client>> clients;
  std::map<int, int> counts{{0, 0}, {1, 0}, {2, 0}};
  for (int id = 0; id < 31; ++id) {
    clients.push_back(std::make_unique<Client>(broker.port()));
    ++counts[clients.back()->join(id).worker];
    const auto [low, high] = std::minmax_element(
        counts.begin(), counts.end(), [](auto& a, auto& b) { return a.second < b.second; });
    ASSERT_LE(high->second - low->second, 1) << "after client " << id;
  }
}

TEST(Dispatch, LeastFillsUpTheWorkerThatLostItsClients) {
  const BrokerProcess broker({"--workers", "2"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int id = 0; id < 20; ++id) {
    clients.push_back(std::make_unique<Client>(broker.port()));
    if (clients.back()->join(id).worker == 1) clients.pop_back();
  }
  ASSERT_TRUE(eventually([&] { return broker.worker(1).held == 0; }));
  const auto served_by_zero = broker.worker(0).clients;
  for (int id = 100; id < 100 + served_by_zero - 1; ++id) {
    clients.push_back(std::make_unique<Client>(broker.port()));
    EXPECT_EQ(clients.back()->join(id).worker, 1);
  }
}

TEST(Dispatch, OnlyTheFirstAcceptorsAccept) {
  const BrokerProcess broker({"--workers", "2", "--acceptors", "1"});
  Crowd crowd(broker.port(), 300);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 300U) << crowd.failures();
  const BrokerStatus status = broker.status();
  EXPECT_EQ(status.worker(0).accepted, 300);
  EXPECT_EQ(status.worker(1).accepted, 0);
  EXPECT_EQ(status.worker(1).handoffs.in, static_cast<std::int64_t>(crowd.per_worker()[1]));
  EXPECT_GT(crowd.per_worker()[1], 100U);
}

}  // namespace
}  // namespace mpb::test
