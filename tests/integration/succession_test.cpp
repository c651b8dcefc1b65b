// The broker is killed, and a holder of its descriptors starts the next: nobody notices.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/held_broker.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/traffic.hpp"

namespace mpb::test {
namespace {

std::set<pid_t> workers_of(const BrokerProcess& broker) {
  std::set<pid_t> pids;
  for (const WorkerStatus& worker : broker.status().workers) pids.insert(worker.pid);
  return pids;
}

TEST(Succession, WorkersAndTheirClientsGoOn) {
  const BrokerProcess broker(held({"--workers", "2", "--acceptors", "1"}));
  const std::set<pid_t> workers = workers_of(broker);
  Client client(broker.port());
  const Who who = client.join(1);
  for (int i = 0; i < 5; ++i) replace(broker);
  EXPECT_EQ(workers_of(broker), workers);
  EXPECT_EQ(client.message(), kHello);
  EXPECT_EQ(client.who().pid, who.pid);
  Client other(broker.port());
  EXPECT_EQ(other.join(1).pid, who.pid) << "it owns the key still";
}

TEST(Succession, NoClientIsLostHoweverOftenTheBrokerIsKilled) {
  const BrokerProcess broker(held({"--workers", "3", "--acceptors", "1", "--key-linger", "50ms"}));
  const std::set<pid_t> workers = workers_of(broker);
  Crowd idle(broker.port(), 50);
  ASSERT_EQ(idle.join([](std::size_t i) { return static_cast<int>(1'000 + i % 10); }), 50U);
  std::map<pid_t, std::size_t> before;
  for (const pid_t worker : workers) before[worker] = descriptors_of(worker);
  {
    Traffic same(broker.port(), 7, 2);
    Traffic others(broker.port(), 8, 2);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(same.await_served(static_cast<std::uint64_t>(i % 5)));
      replace(broker);
      if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(same.await_served(5));
    same.stop();
    others.stop();
    EXPECT_EQ(same.failed(), 0U) << same.failures();
    EXPECT_EQ(others.failed(), 0U) << others.failures();
  }
  EXPECT_EQ(workers_of(broker), workers) << "a worker was restarted";
  EXPECT_EQ(idle.message(), 50U) << idle.failures();
  EXPECT_TRUE(broker.await_held(50));
  for (const pid_t worker : workers) {
    EXPECT_TRUE(eventually([&] { return descriptors_of(worker) <= before[worker] + 2; }))
        << "descriptors are left: " << descriptors_of(worker) << ", before " << before[worker];
  }
}

TEST(Succession, MoversArriveAndClientsOfAKeyMeet) {
  const BrokerProcess broker(held({"--workers", "3"}));
  Crowd crowd(broker.port(), 60);
  ASSERT_EQ(crowd.join([](std::size_t i) { return static_cast<int>(i); }), 60U);
  for (int round = 0; round < 6; ++round) {
    const pid_t before = broker.broker_pid();
    for (std::size_t i = 0; i < 60; ++i) {
      crowd.clients()[i].send(claim_bytes(1'000 * (round + 1) + static_cast<int>(i % 7)) + "W");
      if (i == 30) ::kill(before, SIGKILL);
    }
    std::map<std::string, std::set<pid_t>> places;
    for (Client& client : crowd.clients()) {
      ASSERT_EQ(client.read_text(), kHello);
      const Who who = client.read_who();
      places[who.id].insert(who.pid);
    }
    for (const auto& [id, pids] : places) EXPECT_EQ(pids.size(), 1U) << "id " << id;
    ASSERT_TRUE(broker.await_next_broker(before));
  }
}

TEST(Succession, PortAndControlSocketAreNeverRefused) {
  const BrokerProcess broker(held({"--workers", "2"}));
  const pid_t before = broker.kill_broker();
  for (int i = 0; i < 200; ++i) {
    ASSERT_FALSE(is_refused(broker.port()));
    ASSERT_NO_THROW(ControlLink{broker.control_path()});
  }
  EXPECT_TRUE(broker.await_next_broker(before));
}

TEST(Succession, WhatMpctlHasChangedStays) {
  const BrokerProcess broker(held({"--workers", "2", "--protocol", "control"}));
  ASSERT_TRUE(
      broker.request({{"command", "route"}, {"key", "7"}, {"slots", {1}}}).at("ok").as_bool());
  ASSERT_TRUE(broker.request({{"command", "workers"}, {"count", 3}}).at("ok").as_bool());
  ASSERT_TRUE(broker.await_workers(3));
  const pid_t third = broker.worker_pid(2);
  replace(broker);
  EXPECT_EQ(broker.status().workers.size(), 3U);
  EXPECT_EQ(broker.worker_pid(2), third);
  for (int i = 0; i < 5; ++i) {
    Client client(broker.port());
    EXPECT_EQ(client.join(7).worker, 1);
  }
}

TEST(Succession, CountersDoNotFall) {
  const BrokerProcess broker(held({"--workers", "2", "--acceptors", "1", "--route", "1=1"}));
  for (int i = 0; i < 10; ++i) {
    Client client(broker.port());
    ASSERT_EQ(client.join(1).worker, 1);
  }
  const BrokerStatus before = broker.status();
  ASSERT_GE(before.handoffs, 10);
  replace(broker);
  const BrokerStatus after = broker.status();
  EXPECT_GE(after.handoffs, before.handoffs);
  EXPECT_GE(after.worker(0).handoffs.out, before.worker(0).handoffs.out);
  EXPECT_GE(after.worker(1).handoffs.in, before.worker(1).handoffs.in);
}

TEST(Succession, ABrokerThatDiesWithAWorkerLosesThatWorkersClientsAlone) {
  const BrokerProcess broker(
      held({"--workers", "3", "--acceptors", "1", "--route", "1=0", "--route", "2=1"}));
  Client stays(broker.port());
  ASSERT_EQ(stays.join(1).worker, 0);
  Client goes(broker.port());
  ASSERT_EQ(goes.join(2).worker, 1);
  const pid_t worker = broker.worker_pid(1);
  const pid_t before = broker.broker_pid();
  ::kill(before, SIGKILL);
  ::kill(worker, SIGKILL);
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_TRUE(eventually([&] { return broker.worker(1).state == "online"; }));
  EXPECT_NE(broker.worker_pid(1), worker);
  EXPECT_EQ(stays.message(), kHello);
  const std::string end = goes.read_text();
  EXPECT_TRUE(end == kEof || end == kReset) << end;
  Client again(broker.port());
  EXPECT_EQ(again.join(2).worker, 1);
}

TEST(Succession, AWorkerThatDrainsGoesOnDraining) {
  const BrokerProcess broker(held({"--workers", "2", "--acceptors", "1", "--route", "1=1"}));
  Client client(broker.port());
  const Who who = client.join(1);
  ASSERT_EQ(who.worker, 1);
  ASSERT_TRUE(broker.request({{"command", "drain"}, {"slot", 1}}).at("ok").as_bool());
  ASSERT_TRUE(eventually([&] { return broker.worker(1).state == "draining"; }));
  replace(broker);
  EXPECT_EQ(broker.worker(1).state, "draining");
  EXPECT_EQ(client.message(), kHello);
  client.close();
  EXPECT_TRUE(eventually(
      [&] { return broker.worker(1).state == "online" && broker.worker(1).pid != who.pid; }));
}

TEST(Succession, KilledWhileWorkersStart) {
  const BrokerProcess broker(held({"--workers", "1"}));
  for (int count = 2; count <= 6; ++count) {
    const pid_t before = broker.broker_pid();
    ASSERT_TRUE(broker.request({{"command", "workers"}, {"count", count}}).at("ok").as_bool());
    ::kill(before, SIGKILL);
    ASSERT_TRUE(broker.await_next_broker(before));
    ASSERT_TRUE(broker.await_workers(broker.status().workers.size()));
  }
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
  EXPECT_EQ(broker.processes().size(), broker.status().workers.size()) << "no process is left";
}

TEST(Succession, KilledWhileItReloads) {
  const auto config = [](int route) {
    return "workers = 3\n[listener main]\nlisten = 127.0.0.1:PORT\nroute = 7=" +
           std::to_string(route) + "\n[listener more]\nlisten = 127.0.0.1:0\n";
  };
  BrokerSetup setup = held({});
  setup.config = config(0);
  const BrokerProcess broker(setup);
  const std::set<pid_t> workers = workers_of(broker);
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  for (int route = 1; route <= 8; ++route) {
    const pid_t before = broker.broker_pid();
    broker.write_config(config(route % 3));
    ::kill(before, SIGHUP);
    ::kill(before, SIGKILL);
    ASSERT_TRUE(broker.await_next_broker(before));
    Client pinned(broker.port());
    EXPECT_EQ(pinned.join(7).worker, route % 3) << "as the file has it by now";
    EXPECT_EQ(client.message(), kHello);
  }
  EXPECT_EQ(workers_of(broker), workers);
}

TEST(Succession, WorkersInPythonGoOn) {
  const BrokerProcess broker(held({"--workers", "2", "--acceptors", "1", "--worker-program",
                                   MPB_SOURCE_DIR "/tests/integration/control_worker.py"}));
  const std::set<pid_t> workers = workers_of(broker);
  {
    Traffic traffic(broker.port(), 7, 2);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(traffic.await_served(2));
      replace(broker);
    }
    ASSERT_TRUE(traffic.await_served(2));
    traffic.stop();
    EXPECT_EQ(traffic.failed(), 0U) << traffic.failures();
  }
  EXPECT_EQ(workers_of(broker), workers);
}

TEST(Succession, KilledAgainBeforeAllWorkersHaveReported) {
  const BrokerProcess broker(held({"--workers", "3", "--ping-limit", "60s"}));
  const std::set<pid_t> workers = workers_of(broker);
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const pid_t stopped = broker.worker_pid(2);
  ::kill(stopped, SIGSTOP);
  for (int i = 0; i < 5; ++i) {
    const pid_t before = broker.kill_broker();
    ASSERT_TRUE(eventually([&] { return broker.broker_pid() != before; }));
  }
  ::kill(stopped, SIGCONT);
  ASSERT_TRUE(broker.await_workers(3));
  EXPECT_EQ(workers_of(broker), workers);
  EXPECT_EQ(client.message(), kHello);
}

TEST(Succession, AFileWithAnErrorEndsNothing) {
  BrokerSetup setup = held({});
  const std::string config =
      "workers = 2\nping-interval = 200ms\n[listener main]\nlisten = 127.0.0.1:PORT\n";
  setup.config = config;
  const BrokerProcess broker(setup);
  const std::set<pid_t> workers = workers_of(broker);
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  broker.write_config("workers = none\n");
  const pid_t before = broker.kill_broker();
  ASSERT_TRUE(eventually([&] { return broker.log().find("workers = none") != std::string::npos; }));
  EXPECT_EQ(client.message(), kHello);
  broker.write_config(config);
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_EQ(workers_of(broker), workers);
  EXPECT_EQ(client.message(), kHello);
}

TEST(Succession, AHungBrokerIsReplaced) {
  BrokerSetup setup = held({"--workers", "2"});
  setup.environment = {"WATCHDOG_USEC=" + std::to_string(scaled(1'000ms).count() * 1'000)};
  const BrokerProcess broker(setup);
  const std::set<pid_t> workers = workers_of(broker);
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const pid_t before = broker.broker_pid();
  ::kill(before, SIGSTOP);
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_FALSE(is_running(before));
  EXPECT_EQ(workers_of(broker), workers);
  EXPECT_EQ(client.message(), kHello);
}

TEST(Succession, AWorkerThatDoesNotReportEndsAlone) {
  const BrokerProcess broker(held({"--workers", "3", "--acceptors", "1", "--ping-limit", "2s",
                                   "--route", "1=0", "--route", "2=1", "--route", "3=2"}));
  std::vector<Client> clients;
  for (int id = 1; id <= 3; ++id) {
    clients.emplace_back(broker.port());
    ASSERT_EQ(clients.back().join(id).worker, id - 1);
  }
  const std::set<pid_t> workers = workers_of(broker);
  const pid_t silent = broker.worker_pid(1);
  ::kill(silent, SIGSTOP);
  const pid_t before = broker.kill_broker();
  ASSERT_TRUE(broker.await_next_broker(before));
  EXPECT_FALSE(is_running(silent));
  std::set<pid_t> same;
  std::ranges::set_intersection(workers, workers_of(broker), std::inserter(same, same.end()));
  EXPECT_EQ(same.size(), 2U) << "the others reported at once";
  EXPECT_EQ(clients[0].message(), kHello);
  EXPECT_EQ(clients[2].message(), kHello);
}

TEST(Succession, AStopGoesOnUnderTheNextBroker) {
  BrokerProcess broker(held({"--workers", "2", "--drain-timeout", "60s"}));
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  broker.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return broker.log().find("event=stopping") != std::string::npos; }));
  broker.kill_broker();
  ASSERT_TRUE(eventually([&] { return broker.log().find("event=resumed") != std::string::npos; }));
  EXPECT_TRUE(throughout(1s, [&] { return client.message() == kHello; })) << "it drains still";
  client.close();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Succession, AListenerThatTheFileHasNoMoreIsServedNoMore) {
  const std::string one = "[listener one]\nlisten = 127.0.0.1:PORT\n";
  const std::string two = "[listener two]\nlisten = 127.0.0.2:PORT\n";
  BrokerSetup setup = held({});
  setup.config = "workers = 2\nping-interval = 200ms\n" + one + two;
  const BrokerProcess broker(setup);
  broker.write_config("workers = 2\nping-interval = 200ms\n" + one);
  replace(broker);
  const Endpoint gone = parse_endpoint("127.0.0.2:" + std::to_string(broker.port())).value();
  EXPECT_TRUE(eventually([&] {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(socket.get(), gone.data(), gone.length) != 0 && errno == ECONNREFUSED;
  }));
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST(Succession, TheServiceEndsWhenItIsTold) {
  BrokerProcess broker(held({"--workers", "2"}));
  replace(broker);
  const std::vector<pid_t> workers = broker.processes();
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  for (const pid_t worker : workers) EXPECT_FALSE(is_running(worker));
}

TEST(Succession, WithoutTheHolderTheServiceIsOver) {
  BrokerProcess broker(held({"--workers", "2", "--drain-timeout", "1s"}));
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const std::vector<pid_t> workers = broker.processes();
  const pid_t last = broker.broker_pid();
  broker.signal(SIGKILL);
  ::kill(last, SIGKILL);
  for (const pid_t worker : workers) {
    EXPECT_TRUE(eventually([&] { return !is_running(worker); }));
  }
  EXPECT_TRUE(is_refused(broker.port()));
}

}  // namespace
}  // namespace mpb::test
