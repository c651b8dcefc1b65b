// Nothing is left over: descriptors, connections, processes.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <functional>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// How many of each kind of descriptor a process has: sockets, pipes, ...
std::map<std::string, int> kinds_of(pid_t pid) {
  std::map<std::string, int> kinds;
  for (const std::string& name : descriptor_names_of(pid)) {
    ++kinds[name.substr(0, name.find(":["))];
  }
  return kinds;
}

class Leak : public testing::Test {
 protected:
  BrokerProcess broker{{"--workers", "3", "--max-clients", "200", "--overflow", "refuse"}};

  /// After the scenario, all processes have as many descriptors as before.
  void expect_none_lost(const std::function<void()>& scenario) {
    const auto before = broker.fd_counts();
    ASSERT_EQ(before.size(), 4U);
    scenario();
    EXPECT_TRUE(broker.await_fd_counts(before));
    EXPECT_TRUE(broker.await_held(0));
    const BrokerStatus status = broker.status();
    EXPECT_EQ(status.in_flight, 0);
    EXPECT_EQ(status.waiting, 0);
  }
};

TEST_F(Leak, ClientsThatAreHandedOver) {
  expect_none_lost([&] {
    Crowd crowd(broker.port(), 300);
    ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 300U) << crowd.failures();
  });
}

TEST_F(Leak, ClientsThatMoveOftenAndLeave) {
  expect_none_lost([&] {
    Crowd crowd(broker.port(), 60);
    for (int round = 0; round < 10; ++round) {
      ASSERT_EQ(crowd.join([&](std::size_t i) { return i + static_cast<std::size_t>(round); }), 60U)
          << crowd.failures();
    }
  });
}

TEST_F(Leak, ClientsThatAreRefused) {
  expect_none_lost([&] {
    Crowd crowd(broker.port(), 400);
    crowd.join([](std::size_t) { return 1; });
    const auto busy = std::count_if(crowd.who().begin(), crowd.who().end(),
                                    [](const Who& who) { return who.worker == -1; });
    EXPECT_EQ(busy, 200);
  });
}

TEST_F(Leak, ClientsThatSayNothingOrNonsense) {
  expect_none_lost([&] {
    for (const std::string& bytes : {std::string(), std::string("C"), std::string("Z"),
                                     "M" + std::string(5000, 'x'), claim_bytes(1).substr(0, 3)}) {
      Crowd crowd(broker.port(), 30);
      for (Client& client : crowd.clients()) client.send(bytes);
    }
  });
}

TEST_F(Leak, ClientsThatResetTheirConnection) {
  expect_none_lost([&] {
    Crowd crowd(broker.port(), 100);
    for (std::size_t i = 0; i < crowd.clients().size(); ++i) {
      crowd.clients()[i].send(claim_bytes(static_cast<std::int32_t>(i)));
      const linger at_once{1, 0};
      ::setsockopt(crowd.clients()[i].fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
  });
}

TEST_F(Leak, ClientsThatEndTheirDirectionBehindAClaim) {
  expect_none_lost([&] {
    for (int i = 0; i < 50; ++i) {
      Client client(broker.port());
      client.send(claim_bytes(i) + "W");
      client.finish_sending();
      EXPECT_EQ(client.read_text(), kHello) << "what was sent is answered";
      EXPECT_EQ(client.read_who().id, std::to_string(i));
      EXPECT_TRUE(client.sees_eof());
    }
  });
}

TEST_F(Leak, ControlClients) {
  expect_none_lost([&] {
    for (int i = 0; i < 20; ++i) {
      EventStream events(broker.control_path());
      static_cast<void>(broker.status());
    }
  });
}

TEST_F(Leak, AWorkerThatDiedLeavesNothingInTheOthers) {
  const auto before = broker.fd_counts();
  const BrokerStatus old = broker.status();
  {
    Crowd crowd(broker.port(), 150);
    ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 150U) << crowd.failures();
    ::kill(old.worker(2).pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return broker.worker(2).restarts == 1; }));
    ASSERT_TRUE(broker.await_workers(3));
  }
  EXPECT_TRUE(broker.await_held(0));
  auto expected = before;
  expected[broker.worker_pid(2)] = expected.at(old.worker(2).pid);
  expected.erase(old.worker(2).pid);
  EXPECT_TRUE(broker.await_fd_counts(expected));
}

TEST_F(Leak, ClosedClientsSeeTheEndAtOnceAlsoAfterMoves) {
  // Every worker has had them; a copy left behind anywhere would keep them open.
  Crowd crowd(broker.port(), 60);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(crowd.join([&](std::size_t i) { return i + static_cast<std::size_t>(round); }), 60U);
  }
  for (Client& client : crowd.clients()) client.send("Z");
  for (Client& client : crowd.clients()) {
    EXPECT_EQ(client.read_text(), "error: expected C, M or W");
    EXPECT_TRUE(client.sees_eof());
  }
}

TEST_F(Leak, ClientsOfAKilledWorkerSeeTheEndAtOnceAlsoAfterMoves) {
  Crowd crowd(broker.port(), 60);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(crowd.join([&](std::size_t i) { return i + static_cast<std::size_t>(round); }), 60U);
  }
  const pid_t victim = broker.worker_pid(0);
  ::kill(victim, SIGKILL);
  for (std::size_t i = 0; i < 60; ++i) {
    if (crowd.who()[i].pid != victim) continue;
    const std::string end = crowd.clients()[i].read_text();
    EXPECT_TRUE(end == kEof || end == kReset) << end;
  }
}

TEST_F(Leak, LaterWorkersInheritNothing) {
  const auto first = kinds_of(broker.worker_pid(0));
  Crowd crowd(broker.port(), 30);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 30U);
  ::kill(broker.worker_pid(1), SIGKILL);
  ASSERT_TRUE(eventually([&] { return broker.worker(1).restarts == 1; }));
  ASSERT_TRUE(broker.await_workers(3));
  // At first it may have the listening socket of before, too, while clients could wait there.
  EXPECT_TRUE(eventually([&] { return kinds_of(broker.worker_pid(1)) == first; }));
}

TEST_F(Leak, NoZombiesAndNoStrayProcesses) {
  for (int round = 0; round < 2; ++round) {
    for (const WorkerStatus& worker : broker.status().workers) ::kill(worker.pid, SIGKILL);
    ASSERT_TRUE(eventually([&] {
      const BrokerStatus status = broker.status();
      return status.count("online") == 3 &&
             status.sum([](const WorkerStatus& w) { return w.restarts; }) == 3 * (round + 1);
    }));
  }
  EXPECT_TRUE(zombies_of(broker.pid()).empty());
  EXPECT_EQ(children_of(broker.pid()).size(), 3U);
}

}  // namespace
}  // namespace mpb::test
