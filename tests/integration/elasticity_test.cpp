// Workers that come and go with the demand.
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

using Clients = std::vector<std::unique_ptr<Client>>;

Client& add(Clients& clients, const BrokerProcess& broker) {
  return *clients.emplace_back(std::make_unique<Client>(broker.port()));
}

/// A worker program of which only the first `base` processes start; later ones run `body`.
std::string script_for_extras(const TempFolder& folder, int base, const std::string& body) {
  std::string script = "#!/bin/sh\n";
  for (int i = 0; i < base; ++i) {
    const std::string taken = folder.file("base" + std::to_string(i));
    script +=
        "if mkdir " + taken + " 2>/dev/null; then exec " + program_path("mpworker") + "; fi\n";
  }
  return folder.write("worker", script + body + "\n", 0755);
}

TEST(Elasticity, DemandForksExtraWorkersUpToTheMaximum) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "3", "--max-clients", "2"});
  EventStream events(broker.control_path());
  Clients clients;
  std::map<int, int> served;
  for (int id = 0; id < 6; ++id) ++served[add(clients, broker).join(id).worker];
  EXPECT_EQ(served, (std::map<int, int>{{0, 2}, {1, 2}, {2, 2}}));
  EXPECT_FALSE(events.await("overload").empty());
  EXPECT_FALSE(events.await("fork", 2).empty());
  EXPECT_FALSE(events.await("online", 2).empty());
  EXPECT_EQ(broker.status().count("online"), 3U);
}

TEST(Elasticity, AtTheMaximumAClientIsBusyAndServedAgainWhenThereIsRoom) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "2"});
  Clients clients;
  for (int id = 0; id < 4; ++id) ASSERT_EQ(add(clients, broker).claim(id), kHello);
  for (int i = 0; i < 5; ++i) {
    Client refused(broker.port());
    EXPECT_EQ(refused.claim(50 + i), kBusy);
    EXPECT_TRUE(refused.sees_eof());
  }
  for (const auto& client : clients) EXPECT_EQ(client->message(), kHello);
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(99) == kHello; }));
  EXPECT_EQ(broker.status().count("online"), 2U) << "no worker was lost by it";
}

TEST(Elasticity, ClientsWaitForTheWorkerThatStarts) {
  const TempFolder folder;
  const std::string program =
      script_for_extras(folder, 1, "sleep 0.7\nexec " + program_path("mpworker"));
  const BrokerProcess broker(
      {"--workers", "1", "--max-workers", "2", "--max-clients", "5", "--worker-program", program});
  Crowd crowd(broker.port(), 10);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 10U) << crowd.failures();
  EXPECT_EQ(crowd.per_worker(), (std::map<int, std::size_t>{{0, 5}, {1, 5}}));
}

TEST(Elasticity, ClientsDoNotWaitLongerThanTheRouteTimeForAWorker) {
  const TempFolder folder;
  const std::string program = script_for_extras(folder, 1, "exec sleep 1000");
  const BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "1",
                              "--worker-program", program, "--route-timeout", "1s", "--spawn",
                              "exec"});
  Client first(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  const Stopwatch watch;
  Client second(broker.port());
  EXPECT_EQ(second.claim(2), kBusy);
  EXPECT_GE(watch.elapsed(), 500ms / slow_factor());
  EXPECT_EQ(first.message(), kHello);
}

TEST(Elasticity, ExtraWorkersRetireWhenEmptyAndIdleBaseWorkersNever) {
  const BrokerProcess broker(
      {"--workers", "1", "--max-workers", "3", "--max-clients", "1", "--linger", "300ms"});
  const pid_t base = broker.worker_pid(0);
  EventStream events(broker.control_path());
  for (int round = 0; round < 2; ++round) {
    Clients clients;
    for (int id = 0; id < 3; ++id) ASSERT_EQ(add(clients, broker).claim(id), kHello);
    ASSERT_TRUE(broker.await_workers(3));
    EXPECT_TRUE(throughout(600ms, [&] { return broker.status().count("online") == 3; }))
        << "workers with clients stay";
    clients.clear();
    EXPECT_FALSE(events.await("retire").empty());
    EXPECT_TRUE(eventually([&] {
      const BrokerStatus status = broker.status();
      return status.workers.size() == 1 && status.worker(0).state == "online";
    }));
  }
  EXPECT_TRUE(throughout(800ms, [&] { return broker.worker_pid(0) == base; }));
  EXPECT_EQ(broker.processes(), (std::vector<pid_t>{base, broker.status().zygote.pid}));
}

TEST(Elasticity, GrowAtStartsAWorkerBeforeTheOthersAreFull) {
  const BrokerProcess broker(
      {"--workers", "1", "--max-workers", "2", "--max-clients", "10", "--grow-at", "50"});
  Clients clients;
  for (int id = 0; id < 4; ++id) ASSERT_EQ(add(clients, broker).claim(id), kHello);
  EXPECT_TRUE(throughout(300ms, [&] { return broker.status().count("online") == 1; }));
  for (int id = 4; id < 6; ++id) ASSERT_EQ(add(clients, broker).claim(id), kHello);
  EXPECT_TRUE(broker.await_workers(2));
}

TEST(Elasticity, WithoutALimitOfClientsWorkersStartByTheirDescriptors) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "1", "--max-workers", "3"};
  setup.descriptors = 160;  // 96 of them for clients: 84 served, and room to accept more
  const BrokerProcess broker(setup);
  EXPECT_NE(broker.log().find("event=client_limit clients_per_worker=84 why="), std::string::npos)
      << broker.log();
  // Each speaks at once: where there is no descriptor, those that are silent make room.
  std::vector<Client> crowd;
  for (int id = 0; id < 200; ++id) crowd.emplace_back(broker.port()).send(claim_bytes(id) + "W");
  std::map<int, int> served;
  for (Client& client : crowd) {
    EXPECT_EQ(client.read_text(), kHello);
    ++served[client.read_who().worker];
  }
  EXPECT_EQ(broker.status().count("online"), 3U);
  for (const auto& [slot, clients] : served) EXPECT_LE(clients, 84) << slot;
}

TEST(Elasticity, RefusedClientsAreToldOfOncePerSecond) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "1"});
  Clients clients;
  for (int id = 0; id < 2; ++id) ASSERT_EQ(add(clients, broker).claim(id), kHello);
  EventStream events(broker.control_path());
  std::int64_t refused = 0;
  const auto refuse = [&] {
    EXPECT_EQ(Client(broker.port()).claim(100), kBusy);
    ++refused;
  };
  refuse();
  const auto first = events.await("overload");
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first.at("busy").as_int64(), 1);
  EXPECT_EQ(first.at("online").as_int64(), 2);
  EXPECT_EQ(first.at("maximum").as_int64(), 2);
  for (int i = 0; i < 20; ++i) refuse();
  std::int64_t told = 1;
  int lines = 0;
  while (told < refused) {
    const auto next = events.await("overload");
    ASSERT_FALSE(next.empty());
    told += next.at("busy").as_int64();
    ++lines;
  }
  EXPECT_EQ(told, refused) << "each is told of once";
  EXPECT_LT(lines, 10) << "but not one by one";
}

TEST(Elasticity, AnExtraWorkerThatDiesIsReplacedOnDemand) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "1"});
  Client base(broker.port());
  Client extra(broker.port());
  ASSERT_EQ(base.claim(1), kHello);
  const Who who = extra.join(2);
  ASSERT_EQ(who.worker, 1);
  ::kill(who.pid, SIGKILL);
  EXPECT_EQ(extra.read_text(), kEof);
  // Until the broker has seen it die, it counts as full.
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(3) == kHello; }));
  EXPECT_EQ(base.message(), kHello);
}

}  // namespace
}  // namespace mpb::test
