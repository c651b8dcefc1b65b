// What broke the prototype of 2012, each as a test: processes that end, pause or run out.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

TEST(Prototype2012, KilledOrSignalledWorkerDoesNotEndTheBroker) {
  BrokerProcess broker({"--workers", "2"});
  const pid_t pid = broker.pid();
  for (const int number : {SIGKILL, SIGUSR1, SIGABRT}) {
    const pid_t victim = broker.worker_pid(0);
    ::kill(victim, number);
    ASSERT_TRUE(eventually([&] {
      const WorkerStatus worker = broker.worker(0);
      return worker.state == "online" && worker.pid != victim;
    })) << "signal "
        << number;
  }
  // What the terminal or a broken pipe may send, whether a worker dies of it or not.
  for (const int number : {SIGPIPE, SIGHUP}) ::kill(broker.worker_pid(0), number);
  EXPECT_TRUE(broker.await_workers(2));
  EXPECT_TRUE(broker.running());
  EXPECT_EQ(broker.pid(), pid);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST(Prototype2012, PausedBrokerDoesNotEndTheWorkers) {
  const BrokerProcess broker({"--workers", "2"});
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const auto workers = broker.processes();
  broker.signal(SIGSTOP);
  EXPECT_TRUE(throughout(1500ms, [&] { return client.message() == kHello; }));
  EXPECT_EQ(broker.processes(), workers);
  broker.signal(SIGCONT);
  Client next(broker.port());
  EXPECT_EQ(next.claim(2), kHello);
  EXPECT_EQ(broker.processes(), workers);
}

TEST(Prototype2012, DescriptorLimitEndsNobody) {
  BrokerProcess broker({"--workers", "2", "--acceptors", "1", "--route", "2=1"});
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const auto workers = broker.processes();
  std::vector<pid_t> all = workers;
  all.push_back(broker.pid());
  std::for_each(all.begin(), all.end(), forbid_descriptors);
  Crowd crowd(broker.port(), 30);
  for (Client& waiting : crowd.clients()) waiting.send(claim_bytes(2) + "W");
  EXPECT_TRUE(throughout(500ms, [&] { return client.message() == kHello; }));
  std::for_each(all.begin(), all.end(), allow_descriptors);
  for (Client& waiting : crowd.clients()) {
    EXPECT_EQ(waiting.read_text(), kHello);
    EXPECT_EQ(waiting.read_who().id, "2");
  }
  EXPECT_EQ(broker.processes(), workers);
  EXPECT_TRUE(broker.running());
}

TEST(Prototype2012, GrowingTheWorkerTableKeepsClientsServed) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "8", "--max-clients", "10"});
  Crowd crowd(broker.port(), 80);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 80U) << crowd.failures();
  EXPECT_EQ(crowd.per_worker().size(), 8U);
  EXPECT_EQ(crowd.message(), 80U) << crowd.failures();
}

TEST(Prototype2012, LaterWorkersDoNotKeepEarlierClientsOpen) {
  const BrokerProcess broker({"--workers", "1", "--max-workers", "4", "--max-clients", "1"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int id = 0; id < 4; ++id) {
    clients.push_back(std::make_unique<Client>(broker.port()));
    ASSERT_EQ(clients.back()->claim(id), kHello);
  }
  clients.front()->send("Z");
  EXPECT_EQ(clients.front()->read_text(), "error: expected C, M or W");
  EXPECT_TRUE(clients.front()->sees_eof()) << "no other process holds it";
  ::kill(clients[1]->who().pid, SIGKILL);
  EXPECT_TRUE(clients[1]->sees_eof());
}

TEST(Prototype2012, EndedWorkersAreReaped) {
  const BrokerProcess broker({"--workers", "2"});
  const pid_t killed = broker.worker_pid(0);
  const pid_t told = broker.worker_pid(1);
  ::kill(killed, SIGKILL);
  ::kill(told, SIGTERM);
  EXPECT_TRUE(eventually([&] { return state_of(killed) == '\0' && state_of(told) == '\0'; }));
}

TEST(Prototype2012, SigtermIsHeardWhileAClientStalls) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "500ms"});
  Client stalled(broker.port());
  stalled.send("C");
  Client slow(broker.port());
  const std::string questions(100'000, 'W');
  (void)!::send(slow.fd(), questions.data(), questions.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Prototype2012, IdleClientsTimeOut) {
  const BrokerProcess broker({"--workers", "2", "--idle-timeout", "2s"});
  Crowd crowd(broker.port(), 20);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 20U) << crowd.failures();
  for (Client& client : crowd.clients()) EXPECT_TRUE(client.sees_eof());
  EXPECT_TRUE(broker.await_held(0));
}

TEST(Prototype2012, SingleProcessModeServes) {
  BrokerProcess broker({"--workers", "0"});
  Crowd crowd(broker.port(), 100);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 100U) << crowd.failures();
  for (const Who& who : crowd.who()) EXPECT_EQ(who.pid, broker.pid());
  EXPECT_TRUE(broker.processes().empty());
  EXPECT_TRUE(broker.running());
}

TEST(Prototype2012, WorkersOutliveTheBroker) {
  BrokerProcess broker({"--workers", "2", "--on-broker-death", "serve"});
  Client client(broker.port());
  const pid_t worker = client.join(1).pid;
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  EXPECT_TRUE(throughout(500ms, [&] { return client.message() == kHello; }));
  EXPECT_EQ(client.who().pid, worker);
}

TEST(Prototype2012, FullWorkersDoNotEndTheBroker) {
  BrokerProcess broker({"--workers", "2", "--max-clients", "1"});
  Client first(broker.port());
  Client second(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  ASSERT_EQ(second.claim(2), kHello);
  for (int i = 0; i < 10; ++i) {
    Client refused(broker.port());
    EXPECT_EQ(refused.claim(10 + i), kBusy);
    EXPECT_TRUE(refused.sees_eof());
  }
  EXPECT_TRUE(broker.running());
  EXPECT_EQ(first.message(), kHello);
  first.close();
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(3) == kHello; }));
}

}  // namespace
}  // namespace mpb::test
