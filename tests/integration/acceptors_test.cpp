// Which workers accept: acceptors = auto.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/process/cpus.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

const int kAcceptors = std::max(2, static_cast<int>(usable_cpus()));

std::set<int> first(int count) {
  std::set<int> slots;
  for (int slot = 0; slot < count; ++slot) slots.insert(slot);
  return slots;
}

std::set<int> acceptors_of(const BrokerProcess& broker) {
  std::set<int> slots;
  for (const WorkerStatus& worker : broker.status().workers) {
    if (worker.accepts && worker.state == "online") slots.insert(worker.slot);
  }
  return slots;
}

bool serves_all(const BrokerProcess& broker, std::size_t count) {
  Crowd crowd(broker.port(), count);
  const bool all = crowd.join([](std::size_t i) { return i; }) == count;
  EXPECT_TRUE(all) << crowd.failures();
  return all;
}

std::vector<std::string> workers(int count) {
  return {"--workers", std::to_string(count)};
}

TEST(Acceptors, AreAsManyAsCpusAndTheOthersGetTheirClientsFromThese) {
  const BrokerProcess broker(workers(kAcceptors + 2));
  ASSERT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
  // While the first ones started others may have accepted; who has answered this has heard it all.
  const BrokerStatus before = broker.status();
  Crowd crowd(broker.port(), 50);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 50U) << crowd.failures();
  EXPECT_EQ(crowd.per_worker().size(), static_cast<std::size_t>(kAcceptors) + 2);
  const BrokerStatus status = broker.status();
  for (const WorkerStatus& worker : status.workers) {
    EXPECT_TRUE(worker.accepts || worker.accepted == before.worker(worker.slot).accepted)
        << worker.slot;
  }
}

TEST(Acceptors, AreAllWhereClientsStayWithWhoeverAcceptedThem) {
  auto arguments = workers(kAcceptors + 2);
  arguments.insert(arguments.end(), {"--policy", "local"});
  const BrokerProcess broker(arguments);
  EXPECT_EQ(acceptors_of(broker), first(kAcceptors + 2));
}

TEST(Acceptors, ClientsWithoutAKeyReachTheOthersToo) {
  auto arguments = workers(kAcceptors + 2);
  arguments.insert(arguments.end(), {"--protocol", "ping"});
  const BrokerProcess broker(arguments);
  std::vector<Client> clients;
  for (int i = 0; i < 5 * (kAcceptors + 2); ++i) clients.emplace_back(broker.port()).send("p");
  EXPECT_TRUE(eventually([&] {
    const auto status = broker.status();
    return std::ranges::all_of(status.workers, [](const auto& w) { return w.clients > 0; });
  }));
}

/// `drain` lets the worker of a slot drain.
void expect_replaced(const std::function<void(const BrokerProcess&, int slot)>& drain) {
  const BrokerProcess broker(workers(kAcceptors + 1));
  ASSERT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
  std::vector<Client> held;
  for (int i = 0; i < 4 * kAcceptors; ++i) held.emplace_back(broker.port()).join(i);
  for (int slot = 0; slot < kAcceptors; ++slot) drain(broker, slot);
  ASSERT_TRUE(broker.await_workers(static_cast<std::size_t>(kAcceptors), "draining"));
  EXPECT_TRUE(serves_all(broker, 20));
  EXPECT_EQ(acceptors_of(broker), std::set<int>{kAcceptors});
  held.clear();
  EXPECT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
}

TEST(Acceptors, OthersTakeTheirPlaceWhenAllOfThemDrain) {
  expect_replaced([](const BrokerProcess& broker, int slot) {
    broker.request({{"command", "drain"}, {"slot", slot}});
  });
}

TEST(Acceptors, OthersTakeThePlaceOfThoseThatSomebodyToldToEnd) {
  expect_replaced(
      [](const BrokerProcess& broker, int slot) { ::kill(broker.worker_pid(slot), SIGTERM); });
}

TEST(Acceptors, OneOfThemServesWhileTheOthersAreStopped) {
  auto arguments = workers(kAcceptors + 1);
  const int last = kAcceptors - 1;
  arguments.insert(arguments.end(), {"--route", "*=" + std::to_string(last)});
  const BrokerProcess broker(arguments);
  ASSERT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
  std::vector<pid_t> stopped;
  for (int slot = 0; slot < last; ++slot) stopped.push_back(broker.worker_pid(slot));
  for (const pid_t pid : stopped) ::kill(pid, SIGSTOP);
  EXPECT_TRUE(serves_all(broker, 20));
  for (const pid_t pid : stopped) ::kill(pid, SIGCONT);
}

TEST(Acceptors, AreOthersWhileOneCannotStart) {
  const TempFolder folder;
  const std::string gate = folder.file("gate");
  const std::string program = folder.write(
      "worker",
      "#!/bin/sh\nif [ -e " + gate + " ] && [ $MPBROKER_SLOT -lt " + std::to_string(kAcceptors) +
          " ]; then exit 1; fi\nexec " + program_path("mpworker") + "\n",
      0755);
  auto arguments = workers(kAcceptors + 2);
  arguments.insert(arguments.end(), {"--worker-program", program});
  BrokerProcess broker(arguments);
  ASSERT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
  folder.write("gate", "");
  for (int slot = 0; slot < kAcceptors; ++slot) ::kill(broker.worker_pid(slot), SIGKILL);
  const std::set<int> others{kAcceptors, kAcceptors + 1};
  EXPECT_TRUE(eventually([&] { return acceptors_of(broker) == others; }));
  EXPECT_TRUE(serves_all(broker, 20));
  broker.forget_rest();
}

TEST(Acceptors, AreChosenAnewByAReload) {
  const auto config = [](const std::string& line) {
    return "workers = " + std::to_string(kAcceptors + 1) + "\n" + line +
           "[listener main]\nlisten = 127.0.0.1:PORT\n";
  };
  BrokerSetup setup;
  setup.config = config("acceptors = 1\n");
  const BrokerProcess broker(setup);
  EXPECT_EQ(acceptors_of(broker), first(1));
  broker.write_config(config(""));
  EXPECT_EQ(broker.request({{"command", "reload"}}).at("ok"), true);
  EXPECT_TRUE(eventually([&] { return acceptors_of(broker) == first(kAcceptors); }));
  EXPECT_TRUE(serves_all(broker, 20));
}

}  // namespace
}  // namespace mpb::test
