// Workers that die, hang or run out of descriptors, with clients everywhere: only the clients of
// that worker are lost, and the worker is back.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr std::size_t kClients = 90;

/// 90 clients of 30 ids on three workers.
class Failure : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(crowd.join([](std::size_t i) { return i % 30; }), kClients) << crowd.failures();
    ASSERT_EQ(crowd.per_worker().size(), 3U);
    victim = broker.worker_pid(1);
  }

  /// The clients of the victim see the end, and nobody else notices anything.
  void expect_only_its_clients_lost() {
    for (std::size_t i = 0; i < kClients; ++i) {
      Client& client = crowd.clients()[i];
      if (crowd.who()[i].pid == victim) {
        const std::string end = client.read_text();
        EXPECT_TRUE(end == kEof || end == kReset) << "client " << i << ": " << end;
      } else {
        EXPECT_EQ(client.message(), kHello) << "client " << i;
        EXPECT_EQ(client.who().pid, crowd.who()[i].pid) << "client " << i;
      }
    }
  }

  void expect_it_is_back() {
    EXPECT_TRUE(eventually([&] {
      const WorkerStatus worker = broker.worker(1);
      return worker.state == "online" && worker.pid != victim && worker.restarts == 1;
    }));
    Crowd again(broker.port(), kClients);
    EXPECT_EQ(again.join([](std::size_t i) { return i % 30; }), kClients) << again.failures();
    EXPECT_TRUE(again.split_ids().empty());
    EXPECT_EQ(again.per_worker().size(), 3U) << "the new worker serves, too";
  }

  BrokerProcess broker{{"--workers", "3", "--ping-interval", "200ms", "--ping-limit", "3s"}};
  Crowd crowd{broker.port(), kClients};
  pid_t victim = -1;
};

TEST_F(Failure, KillLosesOnlyTheClientsOfThatWorker) {
  EventStream events(broker.control_path());
  ::kill(victim, SIGKILL);
  EXPECT_FALSE(events.await("exit", 1).empty());
  EXPECT_FALSE(events.await("restart", 1).empty());
  EXPECT_FALSE(events.await("fork", 1).empty());
  EXPECT_FALSE(events.await("online", 1).empty());
  expect_only_its_clients_lost();
  expect_it_is_back();
}

TEST_F(Failure, AnUnexpectedSignalLosesOnlyTheClientsOfThatWorker) {
  ::kill(victim, SIGUSR1);
  expect_only_its_clients_lost();
  expect_it_is_back();
}

TEST_F(Failure, ACrashLosesOnlyTheClientsOfThatWorker) {
  ::kill(victim, SIGABRT);
  expect_only_its_clients_lost();
  expect_it_is_back();
}

TEST_F(Failure, AHungWorkerIsKilledAndReplaced) {
  EventStream events(broker.control_path());
  ::kill(victim, SIGSTOP);
  // While it hangs, others are answered.
  for (std::size_t i = 0; i < kClients; ++i) {
    if (crowd.who()[i].pid != victim) {
      EXPECT_EQ(crowd.clients()[i].message(), kHello);
    }
  }
  EXPECT_FALSE(events.await("disconnect", 1).empty());
  EXPECT_FALSE(events.await("exit", 1).empty());
  expect_only_its_clients_lost();
  expect_it_is_back();
}

TEST_F(Failure, AWorkerToldToEndByASignalDrainsAndIsReplaced) {
  ::kill(victim, SIGTERM);
  Client fresh(broker.port());
  EXPECT_EQ(fresh.claim(1000), kHello);
  // Its clients are still served.
  for (std::size_t i = 0; i < kClients; ++i) {
    EXPECT_EQ(crowd.clients()[i].message(), kHello) << "client " << i;
    if (crowd.who()[i].pid == victim) crowd.clients()[i].close();
  }
  EXPECT_TRUE(eventually([&] { return !is_running(victim); }));
  EXPECT_TRUE(eventually([&] {
    const WorkerStatus worker = broker.worker(1);
    return worker.state == "online" && worker.pid != victim;
  }));
}

TEST_F(Failure, AllWorkersKilledAtOnceAreAllBack) {
  for (const WorkerStatus& worker : broker.status().workers) ::kill(worker.pid, SIGKILL);
  for (Client& client : crowd.clients()) {
    const std::string end = client.read_text();
    EXPECT_TRUE(end == kEof || end == kReset) << end;
  }
  Crowd again(broker.port(), kClients);
  EXPECT_EQ(again.join([](std::size_t i) { return i % 30; }), kClients) << again.failures();
  EXPECT_TRUE(broker.await_workers(3));
  EXPECT_TRUE(broker.running());
}

TEST_F(Failure, KilledAgainAndAgainUnderLoadTheOthersNeverNotice) {
  for (int round = 0; round < 3; ++round) {
    const pid_t current = broker.worker_pid(1);
    ::kill(current, SIGKILL);
    Crowd fresh(broker.port(), 60);
    EXPECT_EQ(fresh.join([&](std::size_t i) { return 1000 * (round + 1) + i; }), 60U)
        << fresh.failures();
    ASSERT_TRUE(eventually([&] {
      const WorkerStatus worker = broker.worker(1);
      return worker.state == "online" && worker.pid != current;
    }));
  }
  expect_only_its_clients_lost();
}

TEST_F(Failure, AWorkerOutOfDescriptorsServesWhatItHasAndOthersTakeTheRest) {
  forbid_descriptors(victim);
  Crowd more(broker.port(), 60);
  EXPECT_EQ(more.join([](std::size_t i) { return 500 + i; }), 60U) << more.failures();
  EXPECT_EQ(more.per_worker().count(1), 0U) << "it cannot have taken any";
  EXPECT_EQ(crowd.message(), kClients) << crowd.failures();
  EXPECT_EQ(broker.worker_pid(1), victim) << "it was not ended for it";
  allow_descriptors(victim);
  std::int32_t id = 600;  // a new one each time: an id stays with its owner
  EXPECT_TRUE(eventually([&] {
    Client client(broker.port());
    return client.join(++id).worker == 1;
  })) << "it takes clients again";
}

}  // namespace
}  // namespace mpb::test
