// Hostile workers that keep to the format: some are ejected for what they do, others may go on, and
// nobody else notices.
#include <gtest/gtest.h>

#include <csignal>
#include <vector>

#include "tests/hostile/siege.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

class HostileConduct : public testing::Test {
 protected:
  static std::vector<Client> claimants(Siege& siege, std::int32_t id, std::size_t count) {
    std::vector<Client> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.emplace_back(siege.broker().port());
      clients.back().send(claim_bytes(id));
    }
    return clients;
  }

  static void expect_greeted(std::vector<Client>& clients) {
    for (Client& client : clients) EXPECT_EQ(client.read_text(), kHello);
  }

  static void expect_ejected(const SiegePlan& plan, const std::string& expected) {
    Siege siege(plan);
    siege.begin();
    siege.expect_served(70, 0);
    const std::string why = siege.await_ejection();
    EXPECT_FALSE(why.empty()) << "it was not ejected";
    EXPECT_NE(why.find(expected), std::string::npos) << why;
    EXPECT_TRUE(siege.await_replacement());
    siege.expect_served(9, 1);
    siege.expect_unharmed();
  }

  static void expect_tolerated(const SiegePlan& plan) {
    Siege siege(plan);
    siege.begin();
    EXPECT_TRUE(siege.await_done());
    siege.expect_served(70, 0);
    EXPECT_EQ(siege.broker().worker(1).restarts, 0);
    EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
    siege.expect_unharmed();
  }
};

// --- a process that is not what it should be -----------------------------------------------------

TEST_F(HostileConduct, ClosingItsChannelAndLivingOn) {
  expect_ejected({.attacks = "1=close-channel"}, "closed");
}

TEST_F(HostileConduct, ClosingItsChannelBeforeReady) {
  expect_ejected({.attacks = "1=close-channel-before-ready"}, "closed");
}

TEST_F(HostileConduct, ShuttingItsChannelForWriting) {
  expect_ejected({.attacks = "1=shut-channel-writing"}, "closed");
}

TEST_F(HostileConduct, ShuttingItsChannelForReading) {
  expect_ejected({.attacks = "1=shut-channel-reading"}, "");
}

TEST_F(HostileConduct, StoppingItself) {
  expect_ejected({.attacks = "1=stop-itself"}, "hung");
}

TEST_F(HostileConduct, StoppingItselfBeforeReady) {
  expect_ejected({.attacks = "1=stop-itself-before-ready", .arguments = {"--start-timeout", "4s"}},
                 "Ready");
}

TEST_F(HostileConduct, NeverReady) {
  expect_ejected({.attacks = "1=never-ready", .arguments = {"--start-timeout", "4s"}}, "Ready");
}

TEST_F(HostileConduct, ExitingAgainAndAgain) {
  for (const char* attack : {"1=exit-at-once", "1=exit-when-online", "1=abort"}) {
    SCOPED_TRACE(attack);
    Siege siege({.attacks = attack, .times = 4});
    siege.begin();
    EXPECT_TRUE(eventually([&] { return siege.broker().worker(1).restarts == 4; }));
    EXPECT_TRUE(siege.await_replacement());
    siege.expect_served(9, 1);
    siege.expect_unharmed();
  }
}

TEST_F(HostileConduct, ExitingForAWrongConfigurationParksIt) {
  Siege siege({.attacks = "1=exit-usage", .times = 100});
  siege.begin();
  EXPECT_TRUE(eventually([&] { return siege.broker().worker(1).state == "parked"; }));
  siege.expect_unharmed();
}

TEST_F(HostileConduct, ChildrenOfADeadOneAreNotHeard) {
  for (const char* attack : {"1=leave-children-with-acks", "1=leave-children-with-clients"}) {
    SCOPED_TRACE(attack);
    Siege siege({.attacks = attack});
    siege.begin();
    EXPECT_TRUE(siege.await_replacement());
    siege.expect_served(9, 1);
    siege.expect_unharmed();
  }
}

TEST_F(HostileConduct, SayingThatItDrainsItHasTheDrainTimeAsOthers) {
  Siege siege({.attacks = "1=refuse-draining", .arguments = {"--drain-timeout", "1s"}});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  Client client(siege.broker().port());
  client.send(claim_bytes(9));
  EXPECT_TRUE(siege.await_replacement());
  client.close();
  siege.expect_served(9, 1);
  siege.expect_unharmed();
}

TEST_F(HostileConduct, IgnoringDrainAndSigterm) {
  Siege siege({.attacks = "1=ignore-drain", .arguments = {"--drain-timeout", "1s"}});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto answer = siege.broker().request({{"command", "drain"}, {"slot", 1}});
  EXPECT_TRUE(answer.at("ok").as_bool());
  EXPECT_TRUE(siege.await_replacement());
  siege.expect_served(9, 1);
  siege.expect_unharmed();
}

TEST_F(HostileConduct, ShuttingTheSharedListener) {
  Siege siege({.attacks = "1=shut-listener"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto revived = [&] {  // by the worker that meets it, or by the broker
    const std::string log = siege.broker().log();
    return log.find("listener.revived") != std::string::npos ||
           log.find("changed=shutdown") != std::string::npos;
  };
  ASSERT_TRUE(eventually(revived)) << "until then a client is refused";
  siege.expect_served(70, 0);
  EXPECT_EQ(siege.broker().worker(1).restarts, 0);
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

// --- too much ------------------------------------------------------------------------------------

// A worker that only floods answers no ping: it is to be found by its messages, however slow the
// machine is.
const std::vector<std::string> kSlowPings = {"--ping-interval", "60s", "--ping-limit", "120s"};

TEST_F(HostileConduct, FloodOfLoads) {
  expect_ejected({.attacks = "1=flood-load", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, FloodOfNotices) {
  expect_ejected({.attacks = "1=flood-notices", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, NoticesForgeNoLineAndFillNoLog) {
  Siege siege({.attacks = "1=many-notices"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto event = siege.events().await("refused", 1);
  ASSERT_FALSE(event.empty());
  EXPECT_EQ(event.at("address").as_string(), "192.0.2.1:1\nevent=exit slot=0");
  EXPECT_EQ(event.at("app").as_string(), "%FF\x1b[2J");
  EXPECT_EQ(event.at("stream").as_string(), "\",\"event\":\"exit");
  siege.expect_served(70, 0);  // behind all that it said
  const std::string log = siege.broker().log();
  std::size_t lines = 0;
  for (auto at = log.find("event=refused"); at != std::string::npos;
       at = log.find("event=refused", at + 1)) {
    ++lines;
  }
  EXPECT_GE(lines, 1U);
  EXPECT_LT(lines, 2'500U);
  EXPECT_EQ(log.find("\nevent=exit"), std::string::npos);
  EXPECT_EQ(log.find('\x1b'), std::string::npos);
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST_F(HostileConduct, FloodOfIdles) {
  expect_ejected({.attacks = "1=flood-idle", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, FloodOfIdlesOfKeysThatItNeverHad) {
  expect_ejected({.attacks = "1=flood-void-idles", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, FloodOfNacks) {
  expect_ejected({.attacks = "1=flood-nack", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, FloodOfHandoffsWithoutReading) {
  expect_ejected({.attacks = "1=flood-handoffs"}, "");
}

TEST_F(HostileConduct, FloodOfEmptyAcks) {
  expect_ejected({.attacks = "1=flood-ack", .arguments = kSlowPings}, "flood");
}

TEST_F(HostileConduct, ManyHandoffsWithTheirVerdicts) {
  expect_tolerated({.attacks = "1=many-handoffs", .arguments = kSlowPings});
}

TEST_F(HostileConduct, MoreHandoffsThanItsWindow) {
  expect_ejected({.attacks = "1=overrun-window,2=hoard", .workers = 3}, "window");
}

TEST_F(HostileConduct, AWindowOfLongPrefixesForAWorkerThatDoesNotRead) {
  Siege siege({.attacks = "1=fill-window,2=never-read", .workers = 3});
  siege.begin();
  EXPECT_TRUE(siege.await_done(1));
  EXPECT_NE(siege.await_ejection(2), "");
  EXPECT_TRUE(siege.await_replacement(2));
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue(1)) << "it kept to its window";
  siege.expect_unharmed();
}

TEST_F(HostileConduct, TheSameClientOfferedAgainAndAgain) {
  expect_tolerated({.attacks = "1=same-client-many-times"});
}

TEST_F(HostileConduct, TwoThatHandOverAllTheyGetToEachOther) {
  Siege siege({.attacks = "1=ping-pong-to-10,2=ping-pong-to-9", .workers = 3});
  siege.begin();
  EXPECT_TRUE(siege.await_done(1) && siege.await_done(2));
  const std::int64_t before = siege.broker().status().handoffs;
  EXPECT_TRUE(eventually([&] { return siege.broker().status().handoffs > before + 10'000; }));
  siege.expect_served(70, 0);
  siege.expect_unharmed();
}

// --- with deliveries -----------------------------------------------------------------------------

TEST_F(HostileConduct, NeverReadingItsChannelItLosesItsClientsToOthers) {
  Siege siege({.attacks = "1=never-read"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  auto clients = claimants(siege, 9, 100);
  EXPECT_NE(siege.await_ejection(), "");
  expect_greeted(clients);
  clients.clear();
  siege.expect_unharmed();
}

TEST_F(HostileConduct, HoardingDeliveriesUntilItIsKilled) {
  Siege siege({.attacks = "1=hoard"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  auto clients = claimants(siege, 9, 300);  // more than may be on their way at once
  EXPECT_TRUE(eventually([&] { return siege.broker().worker(1).in_flight == 256; }));
  siege.expect_served(70, 0);
  ::kill(siege.rogue(), SIGKILL);
  expect_greeted(clients);
  clients.clear();
  siege.expect_unharmed();
}

TEST_F(HostileConduct, RefusingEveryClientItLosesThemToOthers) {
  for (const char* reason : {"full", "draining", "no-descriptor", "unknown"}) {
    SCOPED_TRACE(reason);
    Siege siege({.attacks = std::string("1=refuse-") + reason,
                 .arguments = {"--route", "7=0"},
                 .pinned = false});
    siege.begin();
    EXPECT_TRUE(siege.await_done());
    for (int id = 200; id < 260; ++id) siege.expect_served(id, 0);
    siege.expect_unharmed();
  }
}

TEST_F(HostileConduct, RefusingItsOwnKeysForEverTheirClientsAreServedElsewhereOrToldSo) {
  Siege siege({.attacks = "1=refuse-full-and-report"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  auto clients = claimants(siege, 9, 100);
  for (Client& client : clients) {
    const std::string text = client.read_text();
    EXPECT_TRUE(text == kBusy || text == kHello) << text;
  }
  clients.clear();
  siege.expect_unharmed();
}

TEST_F(HostileConduct, RefusingEveryClientAndSayingThatNobodyIsThereItIsAskedLess) {
  Siege siege(
      {.attacks = "1=refuse-full-and-report", .arguments = {"--route", "7=0"}, .pinned = false});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  std::vector<Client> clients;
  for (int id = 200; id < 260; ++id) {
    clients.emplace_back(siege.broker().port());
    EXPECT_EQ(clients.back().claim(id), kHello) << "id " << id;
  }
  const auto status = siege.broker().request({{"command", "status"}});
  EXPECT_LT(status.at("broker").at("nacked").to_number<int>(), 60);
  clients.clear();
  siege.expect_unharmed();
}

TEST_F(HostileConduct, SwallowingClientsItDoesNotAttractAll) {
  constexpr int kClients = 120;
  Siege siege({.attacks = "1=swallow-all", .arguments = {"--route", "7=0"}, .pinned = false});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto taken = [&siege](std::size_t slot) {
    const auto status = siege.broker().request({{"command", "status"}});
    return status.at("workers").at(slot).at("taken").to_number<int>();
  };
  const int before = taken(0) + taken(1);
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(siege.broker().port());
    clients.back().send(claim_bytes(200 + i));
    ASSERT_TRUE(eventually([&] { return taken(0) + taken(1) - before == i + 1; }));
  }
  EXPECT_LT(taken(1), kClients * 3 / 4);
  ::kill(siege.rogue(), SIGKILL);
  EXPECT_TRUE(siege.await_replacement());
  clients.clear();
  siege.expect_unharmed();
}

// --- untrue but well-formed ----------------------------------------------------------------------

TEST_F(HostileConduct, GivingUpTheKeysOfOthersChangesNothing) {
  Siege siege({.attacks = "1=idle-of-others"});
  Client owner(siege.broker().port());
  ASSERT_EQ(owner.join(21).worker, 0);
  // Where 21 goes from now on is decided by its owner alone.
  siege.broker().request({{"command", "route"}, {"key", "*"}, {"remove", true}});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  for (int i = 0; i < 20; ++i) siege.expect_served(21, 0);
  siege.broker().request({{"command", "route"}, {"key", "*"}, {"slots", {0}}});
  EXPECT_EQ(siege.broker().worker(1).restarts, 0);
  owner.close();
  siege.expect_unharmed();
}

TEST_F(HostileConduct, OfferingAClientTooOften) {
  expect_tolerated({.attacks = "1=offered-too-often"});
}

TEST_F(HostileConduct, OfferingAClientWithTheMostHops) {
  expect_tolerated({.attacks = "1=hops-at-their-limit"});
}

TEST_F(HostileConduct, SayingMoreThanIsKnown) {
  expect_tolerated({.attacks = "1=says-more-than-is-known"});
}

TEST_F(HostileConduct, SayingMoreOfAClientThanIsKnown) {
  expect_tolerated({.attacks = "1=says-more-of-a-client"});
}

TEST_F(HostileConduct, PongsFullOfNonsense) {
  Siege siege({.attacks = "1=pong-with-nonsense"});
  siege.begin();
  for (int i = 0; i < 5; ++i) {
    const Outcome status =
        run("mpctl", {"--control-socket", siege.broker().control_path(), "status"});
    EXPECT_EQ(status.exit, "exit 0") << status.err;
  }
  EXPECT_TRUE(siege.await_done());
  EXPECT_EQ(siege.broker().worker_pid(1), siege.rogue());
  siege.expect_unharmed();
}

TEST_F(HostileConduct, OwningAsManyKeysAsItCanItLeavesTheOthersTheirs) {
  Siege siege({.attacks = "1=own-many-keys",
               .arguments = {"--policy", "local", "--max-keys", "200", "--key-linger", "60s"},
               .pinned = false});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  const auto status = siege.broker().request({{"command", "status"}});
  EXPECT_EQ(status.at("broker").at("keys").to_number<int>(), 101) << "its half and the witness";
  for (int id = 200; id < 250; ++id) siege.expect_served(id, 0);
  siege.expect_unharmed();
}

TEST_F(HostileConduct, UntrueLoads) {
  expect_tolerated({.attacks = "1=untrue-load"});
}

TEST_F(HostileConduct, AnUnconnectedSocketInsteadOfAClient) {
  expect_tolerated({.attacks = "1=unconnected-socket"});
}

TEST_F(HostileConduct, AClientWhoseCloseWouldWait) {
  expect_tolerated({.attacks = "1=lingering-client-refused", .confined = false});
}

TEST_F(HostileConduct, AClientWhoseQueueIsFullOfClientsWhoseCloseWouldWait) {
  expect_tolerated({.attacks = "1=laden-client-refused", .confined = false});
}

TEST_F(HostileConduct, AClientInBlockingMode) {
  Siege siege({.attacks = "1=blocking-client"});
  siege.begin();
  EXPECT_TRUE(siege.await_done());
  siege.expect_served(70, 0);
  ::kill(siege.rogue(), SIGKILL);  // the client is its
  EXPECT_TRUE(siege.await_replacement());
  siege.expect_unharmed();
}

}  // namespace
}  // namespace mpb::test
