// Shared tables over real processes: tests/integration/tables_worker.cpp, and the same in Python.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/line_client.hpp"

namespace mpb::test {
namespace {

/// A client of one key's worker, or of that in one slot: asks a line, and is answered a line.
class Asker : public LineClient {
 public:
  Asker(std::uint16_t port, int slot) : Asker(port, "k" + std::to_string(slot)) {}
  Asker(std::uint16_t port, const std::string& key) : LineClient(port, key) {}
  std::string ask(const std::string& line) {
    say(line);
    return hear();
  }
};

std::string python_worker() {
  return MPB_SOURCE_DIR "/tests/integration/tables_worker.py";
}

/// The key "kN" is slot N's.
BrokerSetup setup(int workers, const std::string& program) {
  BrokerSetup setup;
  setup.arguments = {"--protocol",       "tables", "--workers", std::to_string(workers),
                     "--worker-program", program};
  for (int slot = 0; slot < workers; ++slot) {
    setup.arguments.insert(setup.arguments.end(), {"--route", fmt::format("k{}={}", slot, slot)});
  }
  return setup;
}

/// One for each slot.
std::vector<std::unique_ptr<Asker>> askers(const BrokerProcess& broker, int workers) {
  std::vector<std::unique_ptr<Asker>> all;
  for (int slot = 0; slot < workers; ++slot) {
    all.push_back(std::make_unique<Asker>(broker.port(), slot));
  }
  return all;
}

/// Of "done 3 4": what came of it, the version, the sum.
std::string word(const std::string& line, int index) {
  std::istringstream words(line);
  std::string found;
  for (int i = 0; i <= index; ++i) words >> found;
  return found;
}

std::int64_t counter(const BrokerProcess& broker, const char* name) {
  const auto status = broker.request({{"command", "status"}});
  return status.at("broker").at("tables").at(name).to_number<std::int64_t>();
}

class Tables : public testing::TestWithParam<const char*> {
 protected:
  static std::string program() {
    return std::string(GetParam()) == "Cpp" ? program_path("tables_worker") : python_worker();
  }
};

TEST_P(Tables, WhatOneWorkerPutsAllHave) {
  const BrokerProcess broker(setup(3, program()));
  const auto worker = askers(broker, 3);
  const std::string done = worker[0]->ask("put t a one");
  EXPECT_EQ(word(done, 0), "done");
  const std::string has = "one " + word(done, 1);
  EXPECT_EQ(worker[0]->ask("get t a"), has) << "the asker has it with its result";
  for (const auto& other : worker) {
    EXPECT_TRUE(eventually([&] { return other->ask("get t a") == has; }));
  }
  EXPECT_EQ(worker[1]->ask("cap t a two 0"), "conflict " + word(done, 1) + " 0");
  EXPECT_EQ(word(worker[1]->ask("cap t a two " + word(done, 1)), 0), "done");
  EXPECT_EQ(word(worker[2]->ask("add t n 40"), 2), "40");
  EXPECT_EQ(word(worker[0]->ask("add t n 2"), 2), "42");
  EXPECT_EQ(word(worker[0]->ask("add t a 1"), 0), "no-number");
  EXPECT_EQ(word(worker[0]->ask("del t a"), 0), "done");
  EXPECT_EQ(word(worker[0]->ask("del t a"), 0), "not-found");
  EXPECT_TRUE(eventually([&] { return worker[2]->ask("get t a") == "none"; }));
  EXPECT_EQ(word(worker[0]->ask("put deny 192.0.2.1 x"), 0), "forbidden");
  EXPECT_EQ(word(worker[0]->ask("put t " + std::string(256, 'k') + " x"), 0), "bad-key");
  EXPECT_EQ(word(worker[0]->ask("put " + std::string(65, 't') + " a x"), 0), "bad-name");
  EXPECT_EQ(counter(broker, "entries"), 1);
}

TEST_P(Tables, AnEntryGoesEverywhereWhenItsTimeIsOver) {
  const BrokerProcess broker(setup(2, program()));
  const auto worker = askers(broker, 2);
  EXPECT_EQ(word(worker[0]->ask("put t a one 200"), 0), "done");
  EXPECT_EQ(word(worker[0]->ask("put t b two 3600000"), 0), "done");
  for (const auto& one : worker) {
    EXPECT_TRUE(eventually([&] { return one->ask("get t a") == "none"; }));
    EXPECT_NE(one->ask("get t b"), "none");
  }
  EXPECT_EQ(counter(broker, "expired"), 1);
}

TEST_P(Tables, ASuccessorHasAllSessionsBeforeItsFirstClient) {
  constexpr int kSessions = 2000;
  const BrokerProcess broker(setup(3, program()));
  const auto worker = askers(broker, 3);
  for (int i = 0; i < kSessions; ++i) worker[i % 3]->say(fmt::format("put sessions {} user", i));
  for (int i = 0; i < kSessions; ++i) ASSERT_EQ(word(worker[i % 3]->hear(), 0), "done");
  const pid_t victim = broker.worker_pid(1);
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  EXPECT_EQ(worker[1]->hear(), kEof);
  ASSERT_TRUE(eventually([&] {
    const pid_t now = broker.worker_pid(1);
    return now > 0 && now != victim && broker.worker(1).state == "online";
  }));
  Asker first(broker.port(), 1);
  EXPECT_EQ(first.ask("size sessions"), std::to_string(kSessions));
  EXPECT_EQ(word(first.ask("get sessions 1999"), 0), "user");
}

INSTANTIATE_TEST_SUITE_P(Workers, Tables, testing::Values("Cpp", "Python"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(TablesBounds, AKeyThatNoMessageBearsIsRefusedAlone) {
  const BrokerProcess broker(setup(1, python_worker()));
  Asker asker(broker.port(), 0);
  EXPECT_EQ(asker.ask("long t 1000000"), "bad-key 0 0");
  EXPECT_EQ(asker.ask("long t 255"), "done 1 0") << broker.log();
}

TEST(TablesOrder, WhatWasPutBeforeAHandOverIsThereBeforeTheClient) {
  const BrokerProcess broker(setup(2, python_worker()));
  for (int i = 0; i < 200; ++i) {
    Asker client(broker.port(), i % 2);
    client.say(fmt::format("go t key{} value k{}\nget t key{}", i, (i + 1) % 2, i));
    ASSERT_EQ(word(client.hear(), 0), "value") << i << "\n" << broker.log();
  }
}

class Sessions : public testing::TestWithParam<const char*> {};

TEST_P(Sessions, OutliveTheWorkerThatKeptThem) {
  const std::string name = GetParam();
  BrokerSetup three;
  three.arguments = {"--protocol",
                     "sessions",
                     "--workers",
                     "3",
                     "--route",
                     "s=1",
                     "--worker-program",
                     name == "Cpp" ? program_path("sessions_worker")
                                   : MPB_SOURCE_DIR "/examples/sessions_worker.py"};
  const BrokerProcess broker(three);
  Asker first(broker.port(), "s");
  EXPECT_EQ(first.hear(), "who are you? (visit 1)");
  EXPECT_EQ(first.ask("Ada"), "hello Ada");
  const pid_t victim = broker.worker_pid(1);
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  EXPECT_EQ(first.hear(), kEof);
  ASSERT_TRUE(eventually(
      [&] { return broker.worker_pid(1) != victim && broker.worker(1).state == "online"; }));
  Asker again(broker.port(), "s");
  EXPECT_EQ(again.hear(), "hello Ada (visit 2)");
}

INSTANTIATE_TEST_SUITE_P(Examples, Sessions, testing::Values("Cpp", "Python"),
                         [](const auto& parameter) { return std::string(parameter.param); });

/// How much of a thing is done: so much, or as often as the environment says, for a run by hand.
int amount(const char* variable, int usual) {
  const char* wanted = std::getenv(variable);
  return wanted == nullptr ? usual : std::atoi(wanted);
}

TEST(TablesOrder, EightWorkersSeeTheChangesOfThreeSendersInOneOrder) {
  constexpr int kWorkers = 8;
  constexpr int kSenders = 3;
  constexpr int kAtOnce = 5'000;  // a worker may wait for 65,536 results
  const int fills = amount("MPB_ORDER_CHANGES", kSenders * kAtOnce) / (kSenders * kAtOnce);
  const BrokerProcess broker(setup(kWorkers, program_path("tables_worker")));
  const auto worker = askers(broker, kWorkers);
  for (const auto& one : worker) ASSERT_EQ(one->ask("record t"), "ok");
  // All write the same keys: an order that differs shows.
  for (int fill = 0; fill < fills; ++fill) {
    for (int i = 0; i < kSenders; ++i) worker[i]->say(fmt::format("fill t key {}", kAtOnce));
    for (int i = 0; i < kSenders; ++i) {
      ASSERT_EQ(worker[i]->hear(), fmt::format("done {} failed 0", kAtOnce));
    }
  }
  const std::string all = std::to_string(kSenders * kAtOnce * fills);
  std::set<std::string> seen;
  for (const auto& one : worker) {
    EXPECT_TRUE(eventually([&] { return word(one->ask("recorded"), 0) == all; }));
    seen.insert(one->ask("recorded"));
  }
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(counter(broker, "snapshots"), 0);
}

TEST(TablesCount, SumsAreExactThoughWorkersAreKilled) {
  const int kKills = amount("MPB_ADD_KILLS", 30);
  constexpr int kVictims = 6;  // in turn: who is killed too often comes back late
  const BrokerProcess broker(setup(1 + kVictims, program_path("tables_worker")));
  Asker observer(broker.port(), 0);
  std::int64_t acknowledged = 0;
  for (int i = 0; i < kKills; ++i) {
    const int slot = 1 + i % kVictims;
    ASSERT_TRUE(eventually([&] { return broker.worker(slot).state == "online"; }));
    Asker victim(broker.port(), slot);
    for (int n = 0; n < 50; ++n) victim.say("add t n 1");
    ASSERT_EQ(word(victim.hear(), 0), "done") << broker.log();
    ASSERT_EQ(::kill(broker.worker_pid(slot), SIGKILL), 0);
    ++acknowledged;
    for (std::string line = victim.hear(); line != kEof; line = victim.hear()) {
      if (word(line, 0) == "done") ++acknowledged;
    }
    EXPECT_EQ(word(observer.ask("add t n 1"), 0), "done");
    ++acknowledged;
  }
  ASSERT_TRUE(broker.await_workers(1 + kVictims));
  // Each that the broker has got is in the sum once.
  const std::string sum = word(observer.ask("get t n"), 0);
  EXPECT_EQ(sum, std::to_string(counter(broker, "operations")));
  EXPECT_GE(std::stoll(sum), acknowledged);
  EXPECT_LE(std::stoll(sum), kKills * 51);
  Asker successor(broker.port(), 1);
  EXPECT_EQ(word(successor.ask("get t n"), 0), sum);
}

TEST(TablesStart, AWorkerStartsWithAllTablesHoweverMuchIsWritten) {
  constexpr int kEntries = 2'500;  // of 4,000 bytes, of each of two that write: 21 MB in all
  const BrokerProcess broker(setup(3, program_path("tables_worker")));
  auto worker = askers(broker, 3);
  const auto write = [&](int slot) {
    worker[slot]->say(fmt::format("fill t s{} {} 4000", slot, kEntries));
  };
  const auto written = [&](int slot) {
    return worker[slot]->hear() == fmt::format("done {} failed 0", kEntries);
  };
  for (const int slot : {0, 1}) write(slot);
  for (const int slot : {0, 1}) ASSERT_TRUE(written(slot));
  for (int round = 0; round < 3; ++round) {
    for (const int slot : {0, 1}) {
      for (int i = 0; i < 3; ++i) write(slot);
    }
    const pid_t victim = broker.worker_pid(2);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    ASSERT_TRUE(eventually([&] {
      return broker.worker_pid(2) != victim && broker.worker(2).state == "online";
    })) << broker.log();
    Asker first(broker.port(), 2);
    EXPECT_EQ(first.ask("size t"), std::to_string(2 * kEntries));
    for (const int slot : {0, 1}) {
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(written(slot)) << broker.log();
    }
    const std::string last = worker[0]->ask("get t s02499");
    EXPECT_TRUE(eventually([&] { return first.ask("get t s02499") == last; }));
  }
}

TEST(TablesLag, AStoppedWorkerHoldsUpNobodyAndGetsACopyWhenItGoesOn) {
  BrokerSetup three = setup(3, program_path("tables_worker"));
  three.arguments.insert(three.arguments.end(), {"--ping-limit", "10m"});
  const BrokerProcess broker(three);
  const auto worker = askers(broker, 3);
  for (const auto& one : worker) EXPECT_EQ(word(one->ask("put t before x"), 0), "done");
  const pid_t stopped = broker.worker_pid(2);
  ASSERT_EQ(::kill(stopped, SIGSTOP), 0);
  // One after the other: each is a datagram of its own for the stopped worker.
  int adds = 0;
  const auto is_behind = [&] {
    for (int i = 0; i < 500; ++i, ++adds) {
      if (word(worker[adds % 2]->ask("add t n 1"), 0) != "done") return false;
    }
    const auto status = broker.request({{"command", "status"}});
    for (const auto& one : status.at("workers").as_array()) {
      if (one.at("slot").to_number<int>() != 2) continue;
      return one.at("queue_high_water").at("broker").to_number<int>() >= 256;
    }
    return false;
  };
  ASSERT_TRUE(eventually(is_behind)) << broker.log();
  for (int i = 0; i < 500; ++i, ++adds) {
    ASSERT_EQ(word(worker[adds % 2]->ask("add t n 1"), 0), "done");
  }
  EXPECT_EQ(word(worker[0]->ask("del t before"), 0), "done");
  EXPECT_EQ(counter(broker, "snapshots"), 0);
  ASSERT_EQ(::kill(stopped, SIGCONT), 0);
  const std::string sum = std::to_string(adds);
  EXPECT_TRUE(eventually([&] { return word(worker[2]->ask("get t n"), 0) == sum; }));
  EXPECT_EQ(worker[2]->ask("get t before"), "none");
  EXPECT_EQ(counter(broker, "snapshots"), 1);
  EXPECT_EQ(broker.worker_pid(2), stopped);
  EXPECT_EQ(word(worker[2]->ask("add t n 1"), 2), std::to_string(adds + 1));
}

TEST(TablesDeny, WorkersDenyIfTheOperatorLetsThem) {
  BrokerSetup two = setup(2, program_path("tables_worker"));
  two.arguments.insert(two.arguments.end(), {"--workers-deny", "yes"});
  const BrokerProcess broker(two);
  const auto worker = askers(broker, 2);
  EXPECT_EQ(word(worker[0]->ask("put deny nonsense x"), 0), "bad-key");
  EXPECT_EQ(word(worker[0]->ask("put deny 127.0.0.2 x"), 0), "done");
  EXPECT_TRUE(eventually([&] {
    const Client denied(loopback(broker.port()), "127.0.0.2");
    const auto status = broker.request({{"command", "status"}});
    const auto& rejected = status.at("listeners").at(0).at("rejected");
    return rejected.at("address").to_number<int>() > 0;
  }));
  EXPECT_EQ(worker[1]->ask("size deny"), "1");
}

TEST(TablesAlone, ASingleProcessHasTablesOfItsOwn) {
  BrokerSetup alone;
  alone.arguments = {
      "--workers", "0", "--protocol", "tables", "--worker-program", program_path("tables_worker")};
  alone.await_ready = false;  // that would speak another protocol
  const BrokerProcess process(alone);
  ASSERT_TRUE(eventually([&] { return !is_refused(process.port()); }));
  Asker asker(process.port(), 0);
  EXPECT_EQ(asker.ask("put t a one"), "done 1 0");
  EXPECT_EQ(asker.ask("get t a"), "one 1");
  EXPECT_EQ(asker.ask("add t n 3"), "done 2 3");
  EXPECT_EQ(asker.ask("put t short x 1"), "done 3 0");
  EXPECT_TRUE(eventually([&] { return asker.ask("get t short") == "none"; }));
  Asker before(process.port(), 1);
  EXPECT_EQ(word(asker.ask("put deny 127.0.0.0/8 x"), 0), "done");
  EXPECT_TRUE(eventually([&] { return Asker(process.port(), 0).ask("size t") == kEof; }));
  EXPECT_EQ(before.ask("get t a"), "one 1") << "who is here stays";
}

}  // namespace
}  // namespace mpb::test
