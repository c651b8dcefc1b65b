// Clients that connect and say nothing: how long they may, and that they keep nobody out.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// Runs with several workers and as a single process.
class Silence : public testing::TestWithParam<const char*> {
 protected:
  static BrokerSetup with(std::vector<std::string> arguments) {
    BrokerSetup setup;
    setup.arguments = std::move(arguments);
    setup.arguments.insert(setup.arguments.end(), {"--workers", GetParam()});
    return setup;
  }
  [[nodiscard]] static bool alone() { return GetParam() == std::string("0"); }
  static void expect_told(const BrokerProcess& broker, const std::string& reason) {
    EXPECT_TRUE(eventually([&] {
      return broker.log().find("event=refused reason=" + reason) != std::string::npos ||
             broker.log().find(" reason=" + reason + " ") != std::string::npos;
    })) << broker.log();
  }
};

std::string mode(const testing::TestParamInfo<const char*>& info) {
  return info.index == 0 ? "SingleProcess" : "Workers";
}

INSTANTIATE_TEST_SUITE_P(, Silence, testing::Values("0", "2"), mode);

bool ended(const std::string& text) {
  return text == kEof || text == kReset;
}

TEST_P(Silence, EndsWithItsLimit) {
  const BrokerProcess broker(with({"--silence-timeout", "600ms"}));
  const Stopwatch watch;
  Client silent(broker.port());
  Client routed(broker.port());
  ASSERT_EQ(routed.claim(1), kHello);
  EXPECT_TRUE(ended(silent.read_text()));
  EXPECT_GE(watch.elapsed(), Duration{540} / slow_factor());
  expect_told(broker, "silence-timeout");
  EXPECT_TRUE(routed.is_quiet()) << "it has spoken";
  if (alone()) return;
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.rejected.header; }), 1);
}

TEST_P(Silence, IsOverWithTheFirstByte) {
  const BrokerProcess broker(with({"--silence-timeout", "300ms", "--header-timeout", "0"}));
  Client speaks(broker.port());
  speaks.send("C");
  Client silent(broker.port());
  EXPECT_TRUE(ended(silent.read_text())) << "by then the other one has been there as long";
  EXPECT_TRUE(speaks.is_quiet());
  speaks.send(claim_bytes(7).substr(1));
  EXPECT_EQ(speaks.read_text(), kHello);
}

TEST_P(Silence, TheFirstByteIsFollowedByTheHeaderLimit) {
  const BrokerProcess broker(with({"--silence-timeout", "0", "--header-timeout", "300ms"}));
  Client silent(broker.port());
  Client speaks(broker.port());
  speaks.send("C");
  EXPECT_TRUE(ended(speaks.read_text()));
  expect_told(broker, "header-timeout");
  EXPECT_TRUE(silent.is_quiet()) << "without a limit";
  EXPECT_EQ(silent.claim(1), kHello);
}

/// Those that are to be killed for their silence have spoken, only later than anybody looked.
TEST(SilentClients, WhoeverSpokeWhileItsWorkerWasStoppedIsServed) {
  const Duration limit = scaled(1s);
  const BrokerProcess broker({"--workers", "1", "--ping-limit", "60s", "--silence-timeout",
                              std::to_string(limit.count()) + "ms"});
  const pid_t worker = broker.worker_pid(0);
  std::vector<Client> clients;
  const auto all_wait_and_it_is_stopped = [&] {
    clients.clear();
    for (int i = 0; i < 20; ++i) clients.emplace_back(broker.port());
    const bool held = eventually([&] { return broker.worker(0).held == 20; }, limit);
    ::kill(worker, SIGSTOP);
    const bool stopped = eventually([&] { return state_of(worker) == 'T'; });
    const bool quiet = std::ranges::all_of(clients, [](Client& c) { return c.is_quiet(); });
    if (!held || !stopped || !quiet) ::kill(worker, SIGCONT);
    return held && stopped && quiet;
  };
  ASSERT_TRUE(eventually(all_wait_and_it_is_stopped));
  const auto stopped_at = std::chrono::steady_clock::now();
  for (Client& client : clients) client.send(claim_bytes(1));
  std::this_thread::sleep_until(stopped_at + limit);  // for the limit to pass
  ::kill(worker, SIGCONT);
  for (Client& client : clients) EXPECT_EQ(client.read_text(), kHello);
}

/// At the limit of descriptors.
class Crowded : public Silence {
 protected:
  static BrokerSetup with(std::vector<std::string> arguments) {
    BrokerSetup setup = Silence::with(std::move(arguments));
    setup.descriptors = 160;  // 96 of them for clients
    return setup;
  }
};

INSTANTIATE_TEST_SUITE_P(, Crowded, testing::Values("0", "1"), mode);

TEST_P(Crowded, SilentClientsMakeRoomAndThoseThatSpokeStay) {
  const BrokerProcess broker(with({"--header-timeout", "0"}));
  Client served(broker.port());
  ASSERT_EQ(served.claim(1), kHello);
  Client begun(broker.port());
  begun.send("C");
  const Crowd crowd(broker.port(), 300);
  Client late(broker.port());
  EXPECT_EQ(late.claim(2), kHello);
  expect_told(broker, "descriptors");
  EXPECT_EQ(served.message(), kHello);
  begun.send(claim_bytes(3).substr(1));
  EXPECT_EQ(begun.read_text(), kHello);
}

TEST_P(Crowded, AlsoWithoutALimitOfTheirOwn) {
  const BrokerProcess broker(with({"--silence-timeout", "0"}));
  const Crowd crowd(broker.port(), 150);
  Client late(broker.port());
  EXPECT_EQ(late.claim(2), kHello);
}

TEST_P(Crowded, ThoseThatSpokeKeepTheirPlaces) {
  const BrokerProcess broker(with({"--header-timeout", "0"}));
  std::vector<Client> crowd;
  for (int i = 0; i < 120; ++i) crowd.emplace_back(broker.port()).send("C");
  Client late(broker.port());
  late.send(claim_bytes(1));
  EXPECT_TRUE(throughout(2s, [&] { return late.is_quiet(); })) << "there is no room for it";
  for (std::size_t i = 0; i < 80; ++i) EXPECT_TRUE(crowd[i].is_quiet()) << i;
  crowd.clear();
  EXPECT_EQ(late.read_text(), kHello);
}

/// Both workers are full of silent clients when a client of each of them comes to the other one.
TEST(CrowdedWorkers, MakeRoomForClientsThatAreSentToThem) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "2", "--route", "1=0", "--route", "2=1"};
  setup.descriptors = 160;
  const BrokerProcess broker(setup);
  const Crowd crowd(broker.port(), 400);
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) {
    const int id = i % 2 + 1;
    const Who who = clients.emplace_back(broker.port()).join(id);
    EXPECT_EQ(who.worker, id - 1) << who.text;
  }
}

}  // namespace
}  // namespace mpb::test
