// Clients that leave and come while there is hardly any room: nobody is told busy as long as there
// is some, however late the broker hears of it.
#include <gtest/gtest.h>

#include <csignal>
#include <deque>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

constexpr int kRounds = 150;

/// `room` places; one less is taken, and each round one client leaves and another comes at once.
void come_and_go(std::uint16_t port, std::size_t room, int ids) {
  std::deque<Client> clients;
  for (std::size_t i = 0; i + 1 < room; ++i) {
    clients.emplace_back(port);
    ASSERT_EQ(clients.back().claim(static_cast<int>(i) % ids), kHello) << "client " << i;
  }
  for (int round = 0; round < kRounds; ++round) {
    clients.pop_front();
    clients.emplace_back(port);
    ASSERT_EQ(clients.back().claim(round % ids), kHello) << "round " << round;
  }
}

TEST(Room, IsFoundInTwoWorkers) {
  const BrokerProcess broker({"--workers", "2", "--max-clients", "10"});
  come_and_go(broker.port(), 20, 19);
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.rejected.busy; }), 0);
}

TEST(Room, IsFoundInTheOnlyWorker) {
  const BrokerProcess broker({"--workers", "1", "--max-clients", "5"});
  come_and_go(broker.port(), 5, 3);
}

TEST(Room, IsFoundInASingleProcess) {
  const BrokerProcess broker({"--workers", "0", "--max-clients", "5"});
  come_and_go(broker.port(), 5, 3);
}

TEST(Room, IsFoundInAnOwnerThatAloneMayTakeThem) {
  const BrokerProcess broker(
      {"--workers", "3", "--max-clients", "5", "--route", "*=1", "--overflow", "refuse"});
  come_and_go(broker.port(), 5, 1);
}

TEST(Room, IsFoundInPinnedWorkers) {
  const BrokerProcess broker(
      {"--workers", "3", "--max-clients", "5", "--route", "*=1,2", "--overflow", "refuse"});
  come_and_go(broker.port(), 10, 9);
}

/// Unless the machine is so busy that the report of it is later than the broker waits for one.
TEST(Room, OfLeavingClientsStartsNoExtraWorker) {
  EXPECT_TRUE(eventually([] {
    const BrokerProcess broker({"--workers", "2", "--max-workers", "3", "--max-clients", "5"});
    come_and_go(broker.port(), 10, 9);
    return !broker.status().has(2);
  }));
}

/// What it sent last may hide the end of a client that left.
TEST(Room, OfAnAddressIsFound) {
  for (const char* workers : {"2", "1", "0"}) {
    const BrokerProcess broker({"--workers", workers, "--clients-per-source", "5"});
    std::deque<Client> clients;
    for (int i = 0; i < 5; ++i) {
      clients.emplace_back(broker.port());
      ASSERT_EQ(clients.back().claim(1), kHello);
    }
    for (int round = 0; round < kRounds; ++round) {
      clients.front().send(message_bytes("bye"));
      clients.pop_front();
      clients.emplace_back(broker.port());
      ASSERT_EQ(clients.back().claim(1), kHello) << "round " << round;
    }
    Client sixth(broker.port());
    const std::string end = sixth.claim(1);
    EXPECT_TRUE(end == kEof || end == kReset || end == kBusy) << end;
  }
}

TEST(Room, ThatThereIsNoneIsToldSoon) {
  for (const char* workers : {"2", "0"}) {
    const BrokerProcess broker(
        {"--workers", workers, "--max-clients", "2", "--route-timeout", "60s"});
    std::vector<Client> clients;
    const std::size_t room = workers[0] == '2' ? 4 : 2;
    for (std::size_t i = 0; i < room; ++i) {
      clients.emplace_back(broker.port());
      ASSERT_EQ(clients.back().claim(static_cast<int>(i)), kHello);
    }
    const Stopwatch watch;
    Client more(broker.port());
    EXPECT_EQ(more.claim(9), kBusy);
    EXPECT_LE(watch.elapsed(), 10s) << "long before route-timeout";
    EXPECT_TRUE(more.sees_eof());
  }
}

}  // namespace
}  // namespace mpb::test
