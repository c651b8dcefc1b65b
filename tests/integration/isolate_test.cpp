// isolate: keys and clients that have a process of their own.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

using Arguments = std::vector<std::string>;

Arguments isolated(const std::string& by, const Arguments& more = {},
                   const std::string& max_workers = "12", const std::string& linger = "50ms") {
  Arguments arguments{"--workers", "2", "--max-workers", max_workers,
                      "--isolate", by,  "--key-linger",  linger};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

bool only_base_workers(const BrokerProcess& broker) {
  const BrokerStatus status = broker.status();
  const std::size_t zygotes = status.zygote.pid > 0 ? 1 : 0;
  return status.workers.size() == status.of_role("base").size() &&
         broker.processes().size() == status.workers.size() + zygotes;
}

std::set<pid_t> pids_of_role(const BrokerProcess& broker, const std::string& role) {
  std::set<pid_t> pids;
  for (const WorkerStatus& worker : broker.status().of_role(role)) pids.insert(worker.pid);
  return pids;
}

std::int64_t cells_counter(const BrokerProcess& broker, std::string_view name) {
  const auto status = broker.request({{"command", "status"}});
  return status.at("cells").at(name).to_number<std::int64_t>();
}

TEST(Isolate, EachKeyHasAProcessOfItsOwnUntilItIsIdle) {
  const BrokerProcess broker(isolated("key"));
  const std::set<pid_t> base = pids_of_role(broker, "base");
  {
    std::vector<Client> clients;
    std::map<int, std::set<pid_t>> pids;
    for (int i = 0; i < 9; ++i) {
      clients.emplace_back(broker.port());
      pids[i % 3].insert(clients.back().join(i % 3).pid);
    }
    std::set<pid_t> all;
    for (const auto& [id, of_key] : pids) {
      EXPECT_EQ(of_key.size(), 1U) << "of key " << id;
      all.merge(std::set<pid_t>(of_key));
    }
    EXPECT_EQ(all.size(), 3U);
    for (const pid_t pid : base) EXPECT_FALSE(all.contains(pid));
    std::set<std::string> keys;
    for (const WorkerStatus& cell : broker.status().of_role("cell")) {
      keys.insert(cell.key);
      EXPECT_FALSE(cell.accepts);
      EXPECT_EQ(cell.clients, 3);
    }
    EXPECT_EQ(keys, (std::set<std::string>{"0", "1", "2"}));
  }
  EXPECT_TRUE(eventually([&] { return only_base_workers(broker); }));
  EXPECT_EQ(pids_of_role(broker, "base"), base);
  EXPECT_EQ(cells_counter(broker, "keys"), 3);
  EXPECT_EQ(cells_counter(broker, "crashed"), 0);
}

TEST(Isolate, SpareOnesWaitReadyAndAreReplaced) {
  const BrokerProcess broker(isolated("key", {"--spare-workers", "2"}));
  ASSERT_TRUE(broker.await_workers(4));
  const std::set<pid_t> spare = pids_of_role(broker, "spare");
  EXPECT_EQ(spare.size(), 2U);
  Client client(broker.port());
  EXPECT_TRUE(spare.contains(client.join(7).pid));
  EXPECT_TRUE(eventually([&] { return pids_of_role(broker, "spare").size() == 2; }));
  EXPECT_EQ(pids_of_role(broker, "cell").size(), 1U);
  EXPECT_GE(cells_counter(broker, "from_spare"), 1);
}

TEST(Isolate, TitlesSayWhatAProcessIsFor) {
  const BrokerProcess broker(isolated("key", {"--spare-workers", "1"}));
  ASSERT_TRUE(broker.await_workers(3));
  const auto title = [](pid_t pid) {
    const std::string line = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    return line.substr(0, line.find('\0'));
  };
  EXPECT_EQ(title(broker.worker_pid(1)), "mpworker: 1");
  EXPECT_EQ(title(*pids_of_role(broker, "spare").begin()), "mpworker: spare");
  Client client(broker.port());
  const pid_t pid = client.join(1234567).pid;
  EXPECT_EQ(title(pid), "mpworker: 1234567");
  EXPECT_EQ(read_file("/proc/" + std::to_string(pid) + "/comm"), "mpworker: 12345\n");
}

TEST(Isolate, EventsTellWhichKeyACellIsFor) {
  const BrokerProcess broker(isolated("key"));
  EventStream events(broker.control_path());
  {
    Client client(broker.port());
    client.join(42);
    const auto cell = events.await("cell");
    ASSERT_FALSE(cell.empty());
    EXPECT_EQ(cell.at("key").as_string(), "42");
    EXPECT_EQ(cell.at("protocol").as_string(), "control");
    EXPECT_EQ(events.await("fork").at("key").as_string(), "42");
    EXPECT_EQ(events.await("online").at("key").as_string(), "42");
  }
  EXPECT_EQ(events.await("exit").at("key").as_string(), "42");
}

TEST(Isolate, WhereNoFurtherProcessMayRunTheBaseWorkersServe) {
  const BrokerProcess broker(isolated("key", {}, "3"));
  Client first(broker.port());
  const pid_t cell = first.join(1).pid;
  Client second(broker.port());
  const Who shared = second.join(2);
  EXPECT_NE(shared.pid, cell);
  EXPECT_TRUE(pids_of_role(broker, "base").contains(shared.pid));
  first.close();
  ASSERT_TRUE(eventually([&] { return only_base_workers(broker); }));
  Client third(broker.port());
  EXPECT_EQ(third.join(2).pid, shared.pid) << "the key stays until it is idle";
  EXPECT_EQ(cells_counter(broker, "overflowed"), 1);
}

TEST(Isolate, WhereNoFurtherProcessMayRunTheClientIsRefused) {
  const BrokerProcess broker(isolated("key", {"--isolate-overflow", "refuse"}, "3"));
  Client first(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  Client second(broker.port());
  EXPECT_EQ(second.claim(2), kBusy);
  first.close();
  ASSERT_TRUE(eventually([&] { return only_base_workers(broker); }));
  Client third(broker.port());
  EXPECT_EQ(third.claim(2), kHello);
}

TEST(Isolate, OneThatIsKilledTakesItsOwnKeyAlone) {
  const BrokerProcess broker(isolated("key"));
  Client one(broker.port());
  Client other(broker.port());
  const pid_t pid = one.join(1).pid;
  const pid_t others = other.join(2).pid;
  ::kill(pid, SIGKILL);
  const std::string end = one.read_text();
  EXPECT_TRUE(end == kEof || end == kReset) << end;
  EXPECT_EQ(other.message(), kHello);
  Client again(broker.port());
  const pid_t successor = again.join(1).pid;
  EXPECT_NE(successor, pid);
  EXPECT_EQ(other.who().pid, others);
  EXPECT_EQ(cells_counter(broker, "crashed"), 1);
}

TEST(Isolate, AKeyWhoseProcessCrashesAgainAndAgainBacksOffAlone) {
  const BrokerProcess broker(isolated("key", {"--worker-program", program_path("fragile_worker")}));
  EventStream events(broker.control_path());
  Client before(broker.port());
  const pid_t pid = before.join(1).pid;
  std::vector<std::string> answers;
  // The delay grows until a client falls into it, however long the crashes take.
  EXPECT_TRUE(eventually([&] {
    answers.push_back(Client(broker.port()).claim(13));
    return answers.back() == kBusy;
  }));
  EXPECT_EQ(Client(broker.port()).claim(100), kHello) << "others start and stop";
  EXPECT_EQ(answers.front(), kEof);
  const auto backoff = events.await("backoff");
  ASSERT_FALSE(backoff.empty());
  EXPECT_EQ(backoff.at("key").as_string(), "13");
  EXPECT_EQ(before.who().pid, pid);
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(13) != kBusy; }))
      << "it is tried again";
  EXPECT_EQ(broker.status().state, "running");
}

TEST(Isolate, WorkersAreNotSoManyThatNoneIsLeftToIsolateIn) {
  const BrokerProcess broker(isolated("key", {}));
  const auto refused = broker.request({{"command", "workers"}, {"count", 1'000}});
  EXPECT_FALSE(refused.at("ok").as_bool());
  EXPECT_NE(refused.at("error").as_string().find("isolates"), std::string_view::npos) << refused;
}

TEST(Isolate, StatusShowsWhichKeysBackOff) {
  const BrokerProcess broker(isolated("key", {"--worker-program", program_path("fragile_worker")}));
  EXPECT_TRUE(eventually([&] {
    Client(broker.port()).claim(13);
    const auto status = broker.request({{"command", "status"}});
    const auto& backoff = status.at("cells").at("backoff").as_array();
    return backoff.size() == 1 && backoff[0].at("key").as_string() == "13" &&
           backoff[0].at("failures").to_number<int>() >= 2;
  }));
}

TEST(Isolate, AKeyThatCrashesTooOftenIsClosedAndTriedAgainAfterAWhile) {
  const BrokerProcess broker(isolated("key", {"--worker-program", program_path("fragile_worker"),
                                              "--max-failures", "2", "--recovery-time", "2s"}));
  EventStream events(broker.control_path());
  EXPECT_EQ(Client(broker.port()).claim(13), kEof);
  EXPECT_EQ(Client(broker.port()).claim(13), kEof);
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(13) == kBusy; }));
  EXPECT_EQ(Client(broker.port()).claim(1), kHello) << "the others never notice";
  const auto closed = events.await("backoff");
  ASSERT_FALSE(closed.empty());
  EXPECT_TRUE(closed.at("closed").as_bool()) << closed;
  EXPECT_EQ(closed.at("failures").to_number<int>(), 2);
  EXPECT_EQ(closed.at("key").as_string(), "13");
  const auto status = broker.request({{"command", "status"}});
  const auto& backoff = status.at("cells").at("backoff").as_array();
  if (!backoff.empty()) {
    EXPECT_TRUE(backoff[0].at("closed").as_bool());
  }
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(13) == kEof; }))
      << "it is tried again";
}

TEST(Isolate, AReloadLetsAClosedKeyTryAgain) {
  const BrokerProcess broker(isolated("key", {"--worker-program", program_path("fragile_worker"),
                                              "--max-failures", "1", "--recovery-time", "1h"}));
  EXPECT_EQ(Client(broker.port()).claim(13), kEof);
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(13) == kBusy; }));
  ASSERT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  EXPECT_EQ(Client(broker.port()).claim(13), kEof);
}

TEST(Isolate, AnOldProcessIsRenewedAsSoonAsItHasNoClients) {
  const BrokerProcess broker(isolated("key", {"--rollover", "100ms"}, "12", "1h"));
  EventStream events(broker.control_path());
  Client first(broker.port());
  const pid_t pid = first.join(1).pid;
  Client other(broker.port());
  const pid_t others = other.join(2).pid;
  Client second(broker.port());
  EXPECT_EQ(second.join(1).pid, pid) << "clients of a key meet";
  first.close();
  EXPECT_EQ(second.message(), kHello);
  second.close();
  EXPECT_TRUE(eventually([&] { return !is_running(pid); })) << "it does not linger";
  const auto event = events.await("rollover");
  ASSERT_FALSE(event.empty());
  EXPECT_EQ(event.at("key").as_string(), "1");
  Client after(broker.port());
  EXPECT_NE(after.join(1).pid, pid);
  EXPECT_EQ(other.who().pid, others);
  EXPECT_EQ(cells_counter(broker, "renewed"), 1);
  EXPECT_EQ(cells_counter(broker, "crashed"), 0);
}

TEST(Isolate, AHungOneIsKilled) {
  const BrokerProcess broker(
      isolated("key", {"--ping-interval", "100ms", "--ping-limit", "500ms"}));
  Client client(broker.port());
  const pid_t pid = client.join(1).pid;
  ::kill(pid, SIGSTOP);
  EXPECT_TRUE(eventually([&] { return !is_running(pid); }));
  EXPECT_NE(Client(broker.port()).join(1).pid, pid);
}

TEST(Isolate, DrainMovesAKeyToAnotherProcess) {
  const BrokerProcess broker(isolated("key"));
  Client before(broker.port());
  const Who who = before.join(1);
  const auto drained = broker.request({{"command", "drain"}, {"slot", who.worker}});
  ASSERT_TRUE(drained.at("ok").as_bool());
  Client after(broker.port());
  const Who successor = after.join(1);
  EXPECT_NE(successor.pid, who.pid);
  EXPECT_EQ(before.who().pid, who.pid);
  before.close();
  EXPECT_TRUE(eventually([&] { return !is_running(who.pid); }));
  EXPECT_EQ(after.message(), kHello);
}

TEST(Isolate, AKeyWithARouteIsServedThere) {
  const BrokerProcess broker(isolated("key", {"--route", "5=1"}));
  Client pinned(broker.port());
  EXPECT_EQ(pinned.join(5).pid, broker.worker_pid(1));
  Client other(broker.port());
  const pid_t cell = other.join(6).pid;
  EXPECT_FALSE(pids_of_role(broker, "base").contains(cell));
  const auto routed =
      broker.request({{"command", "route"}, {"key", "6"}, {"slots", boost::json::array{0}}});
  ASSERT_TRUE(routed.at("ok").as_bool()) << boost::json::serialize(routed);
  Client after(broker.port());
  EXPECT_EQ(after.join(6).pid, broker.worker_pid(0));
  EXPECT_EQ(other.who().pid, cell) << "who is there stays";
  other.close();
  EXPECT_TRUE(eventually([&] { return !is_running(cell); }));
}

std::string config(const std::string& isolate, int spares) {
  return "workers = 2\nmax-workers = 10\nspare-workers = " + std::to_string(spares) +
         "\nkey-linger = 50ms\n[listener one]\nlisten = 127.0.0.1:PORT\nisolate = " + isolate +
         "\n";
}

TEST(Isolate, AReloadLeavesTheKeysWhereTheyAre) {
  BrokerSetup setup;
  setup.config = config("key", 1);
  const BrokerProcess broker(setup);
  Client client(broker.port());
  const pid_t cell = client.join(1).pid;
  std::string text = config("no", 0);
  text.replace(text.find("PORT"), 4, std::to_string(broker.port()));
  broker.write_config(text);
  ASSERT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  Client same(broker.port());
  EXPECT_EQ(same.join(1).pid, cell);
  Client other(broker.port());
  EXPECT_TRUE(pids_of_role(broker, "base").contains(other.join(2).pid));
  EXPECT_TRUE(eventually([&] { return broker.status().of_role("spare").empty(); }));
  client.close();
  same.close();
  EXPECT_TRUE(eventually([&] { return only_base_workers(broker); }));
}

TEST(Isolate, EachClientHasAProcessOfItsOwn) {
  const BrokerProcess broker(isolated("client", {"--spare-workers", "2"}));
  const std::set<pid_t> base = pids_of_role(broker, "base");
  {
    std::vector<Client> clients;
    std::set<pid_t> pids;
    for (int i = 0; i < 6; ++i) {
      clients.emplace_back(broker.port());
      pids.insert(clients.back().join(7).pid);
    }
    EXPECT_EQ(pids.size(), 6U);
    for (const pid_t pid : base) EXPECT_FALSE(pids.contains(pid));
    for (Client& client : clients) EXPECT_EQ(client.message(), kHello);
    const auto cells = broker.status().of_role("cell");
    EXPECT_EQ(cells.size(), 6U);
    for (const WorkerStatus& cell : cells) EXPECT_EQ(cell.state, "online");
  }
  EXPECT_TRUE(eventually([&] { return broker.status().of_role("cell").empty(); }));
}

TEST(Isolate, AClientThatMovesToAnotherKeyKeepsItsProcess) {
  const BrokerProcess broker(isolated("client"));
  Client client(broker.port());
  const pid_t pid = client.join(1).pid;
  const Who moved = client.join(2);
  EXPECT_EQ(moved.pid, pid);
  EXPECT_EQ(moved.id, "2");
}

TEST(Isolate, AClientThatCrashesItsProcessHarmsNobody) {
  const BrokerProcess broker(
      isolated("client", {"--worker-program", program_path("fragile_worker")}));
  Client other(broker.port());
  const pid_t pid = other.join(1).pid;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Client(broker.port()).claim(13), kEof);
  EXPECT_EQ(other.who().pid, pid);
  EXPECT_EQ(Client(broker.port()).claim(2), kHello);
  EXPECT_EQ(cells_counter(broker, "crashed"), 5);
}

TEST(Isolate, ClientsWithoutAKeyHaveAProcessOfTheirOwn) {
  const BrokerProcess broker(isolated("client", {"--protocol", "ping"}));
  Client client(broker.port());
  client.send("x");
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(pids_of_role(broker, "cell").size(), 1U);
}

TEST(Isolate, StopsWithCellsOfAllKinds) {
  BrokerProcess broker(isolated("key", {"--spare-workers", "2", "--drain-timeout", "200ms"}));
  ASSERT_TRUE(broker.await_workers(4));
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Isolate, WorksForWorkersInPython) {
  const std::string program = MPB_SOURCE_DIR "/tests/integration/control_worker.py";
  for (const std::string by : {"key", "client"}) {
    const BrokerProcess broker(isolated(by, {"--worker-program", program}));
    {
      Client one(broker.port());
      Client other(broker.port());
      EXPECT_NE(one.join(1).pid, other.join(2).pid) << by;
      EXPECT_EQ(one.message(), kHello);
    }
    EXPECT_TRUE(eventually([&] { return only_base_workers(broker); })) << by;
  }
}

TEST(Isolate, OneThatDoesNotEndWhenToldIsKilled) {
  const TempFolder folder;
  const std::string program = folder.write("worker",
                                           "#!/usr/bin/env python3\n"
                                           "import sys\n"
                                           "sys.path.append('" MPB_SOURCE_DIR
                                           "/tests/integration')\n"
                                           "import control_worker as its\n"
                                           "its.mpbroker.Worker._drain = lambda self, time: None\n"
                                           "its.mpbroker.Worker(its.whose, its.serve).run()\n",
                                           0755);
  for (const std::string by : {"key", "client"}) {
    const BrokerProcess broker(isolated(
        by, {"--worker-program", program, "--drain-timeout", "200ms", "--route-timeout", "60s"}));
    pid_t pid = 0;
    {
      Client client(broker.port());
      pid = client.join(1).pid;
      EXPECT_TRUE(throughout(1'500ms, [&] { return is_running(pid); }))
          << by << ": it has a client";
    }
    EXPECT_TRUE(eventually([&] { return !is_running(pid); })) << by;
    EXPECT_TRUE(eventually([&] { return only_base_workers(broker); })) << by;
  }
}

/// A thousand where the machine takes it.
std::size_t crowd_size() {
  return slow_factor() > 1 ? 100 : 1000;
}

TEST(IsolateCrowd, AThousandKeysAtOnceAndNothingIsLeftOfThem) {
  const std::size_t count = std::min(crowd_size(), descriptors_for_clients() - 100);
  const BrokerProcess broker(isolated(
      "key", {"--route-timeout", "120s", "--isolate-overflow", "refuse", "--log-level", "warning"},
      std::to_string(count + 2)));
  {
    Crowd crowd(broker.port(), count);
    EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), count) << crowd.failures();
    std::set<pid_t> pids;
    for (const Who& who : crowd.who()) pids.insert(who.pid);
    EXPECT_EQ(pids.size(), count);
  }
  EXPECT_TRUE(eventually([&] { return only_base_workers(broker); }, 120s));
  EXPECT_TRUE(zombies_of(broker.pid()).empty());
  EXPECT_EQ(cells_counter(broker, "keys"), static_cast<std::int64_t>(count));
}

TEST(IsolateCrowd, ManyClientsOneAfterAnotherEachWithItsOwnProcess) {
  // Room for all: a process may take longer to end than the next client to come.
  const std::size_t count = crowd_size();
  const BrokerProcess broker(isolated("client", {"--spare-workers", "2", "--log-level", "warning"},
                                      std::to_string(count + 4)));
  std::set<pid_t> pids;
  for (std::size_t i = 0; i < count; ++i) {
    Client client(broker.port());
    pids.insert(client.join(static_cast<std::int32_t>(i)).pid);
  }
  EXPECT_EQ(pids.size(), count);
  EXPECT_EQ(cells_counter(broker, "overflowed"), 0);
}

TEST(IsolateCrowd, ManyClientsAtOnceEachWithItsOwnProcess) {
  constexpr std::size_t kClients = 200;
  const BrokerProcess broker(isolated(
      "client", {"--spare-workers", "2", "--route-timeout", "120s", "--log-level", "warning"},
      std::to_string(kClients + 4)));
  {
    Crowd crowd(broker.port(), kClients);
    EXPECT_EQ(crowd.join([](std::size_t i) { return i % 7; }), kClients) << crowd.failures();
    std::set<pid_t> pids;
    for (const Who& who : crowd.who()) pids.insert(who.pid);
    EXPECT_EQ(pids.size(), kClients);
  }
  EXPECT_TRUE(eventually([&] { return broker.status().of_role("cell").empty(); }));
  EXPECT_EQ(cells_counter(broker, "overflowed"), 0);
}

}  // namespace
}  // namespace mpb::test
