// mpctl against a running broker.
#include <gtest/gtest.h>

#include <csignal>
#include <sstream>

#include <boost/json/parse.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

class Mpctl : public testing::Test {
 protected:
  Outcome mpctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--control-socket", broker.control_path()});
    return run("mpctl", arguments);
  }
  void expect_done(const std::vector<std::string>& arguments) const {
    const Outcome outcome = mpctl(arguments);
    EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  }

  BrokerProcess broker{{"--workers", "2", "--max-workers", "4", "--drain-timeout", "30s"}};
};

TEST_F(Mpctl, StatusAsJsonIsOneLineForScripts) {
  const Outcome outcome = mpctl({"status", "--json"});
  ASSERT_EQ(outcome.exit, "exit 0") << outcome.err;
  EXPECT_EQ(read_status(boost::json::parse(outcome.out).as_object()).count("online"), 2U);
}

TEST_F(Mpctl, StatusIsATableForPeople) {
  const Outcome outcome = mpctl({"status"});
  ASSERT_EQ(outcome.exit, "exit 0") << outcome.err;
  EXPECT_NE(outcome.out.find(std::to_string(broker.worker_pid(0))), std::string::npos);
  EXPECT_NE(outcome.out.find("127.0.0.1:" + std::to_string(broker.port())), std::string::npos);
  EXPECT_NE(outcome.out.find("online"), std::string::npos);
}

TEST_F(Mpctl, WatchShowsAsManyTablesAsAsked) {
  const Outcome outcome = mpctl({"watch", "--count", "2", "--interval", "100ms"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.err;
  EXPECT_NE(outcome.out.find("online"), std::string::npos);
}

TEST_F(Mpctl, EventsAreWrittenAsTheyHappen) {
  for (const bool json : {false, true}) {
    ProgramStart start;
    start.program = program_path("mpctl");
    start.arguments = {"--control-socket", broker.control_path(), "events"};
    if (json) start.arguments.emplace_back("--json");
    start.output = broker.folder().file(json ? "events.json" : "events.txt");
    ChildProcess events(start);
    const pid_t before = broker.worker_pid(1);
    // Until it has subscribed, events pass it by.
    EXPECT_TRUE(eventually([&] {
      expect_done({"reload"});
      return read_file(start.output).find("reload") != std::string::npos;
    }));
    ::kill(before, SIGKILL);
    EXPECT_TRUE(eventually([&] {
      const std::string text = read_file(start.output);
      return text.find(json ? "\"event\":\"online\"" : "event=online") != std::string::npos;
    })) << read_file(start.output);
    EXPECT_TRUE(events.running());
  }
}

TEST_F(Mpctl, DrainMovesNewClientsElsewhereAndEndsTheWorkerWhenItIsEmpty) {
  Client stays(broker.port());
  const Who who = stays.join(1);
  expect_done({"drain", std::to_string(who.worker)});
  ASSERT_TRUE(broker.await_workers(1, "draining"));
  for (int id = 10; id < 20; ++id) {
    Client client(broker.port());
    EXPECT_NE(client.join(id).pid, who.pid);
  }
  Client same_id(broker.port());
  EXPECT_NE(same_id.join(1).pid, who.pid) << "the id has a new owner";
  EXPECT_EQ(stays.message(), kHello);
  EXPECT_EQ(stays.who().pid, who.pid);
  EXPECT_TRUE(is_running(who.pid));
  stays.close();
  EXPECT_TRUE(eventually([&] { return !is_running(who.pid); }));
  EXPECT_TRUE(broker.await_workers(2)) << "a base worker is started anew";
}

TEST_F(Mpctl, AClientOfADrainingWorkerMayStillMove) {
  Client client(broker.port());
  const Who who = client.join(1);
  expect_done({"drain", std::to_string(who.worker)});
  const Who moved = client.join(2);
  EXPECT_NE(moved.pid, who.pid);
  EXPECT_TRUE(eventually([&] { return !is_running(who.pid); })) << "it was the last one";
}

TEST(MpctlDrain, EndsTheWorkerWhenTheTimeIsOver) {
  const BrokerProcess broker({"--workers", "2", "--drain-timeout", "500ms"});
  Client client(broker.port());
  const Who who = client.join(1);
  const Outcome outcome = run(
      "mpctl", {"--control-socket", broker.control_path(), "drain", std::to_string(who.worker)});
  ASSERT_EQ(outcome.exit, "exit 0") << outcome.err;
  EXPECT_EQ(client.message(), kHello);
  EXPECT_TRUE(client.sees_eof());
  EXPECT_TRUE(eventually([&] { return !is_running(who.pid); }));
  EXPECT_TRUE(broker.await_workers(2));
}

TEST_F(Mpctl, RoutePinsAKeyAndTakesThePinAway) {
  expect_done({"route", "5=1"});
  for (int i = 0; i < 4; ++i) {
    Client client(broker.port());
    EXPECT_EQ(client.join(5).worker, 1);
  }
  expect_done({"route", "5=0"});
  Client client(broker.port());
  EXPECT_EQ(client.join(5).worker, 0);
  expect_done({"route", "--remove", "5"});
  Client next(broker.port());
  EXPECT_EQ(next.claim(5), kHello);
  for (const char* key : {"5", "never"}) {
    const Outcome none = mpctl({"route", "--remove", key});
    EXPECT_EQ(none.exit, "exit 1") << key;
    EXPECT_NE(none.err.find(std::string("no route for key '") + key), std::string::npos)
        << none.err;
  }
  EXPECT_EQ(mpctl({"route", "5=9"}).exit, "exit 1") << "there is no such slot";
}

TEST_F(Mpctl, WorkersChangesTheNumberOfBaseWorkers) {
  expect_done({"workers", "4"});
  EXPECT_TRUE(broker.await_workers(4));
  Crowd crowd(broker.port(), 40);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 40U) << crowd.failures();
  EXPECT_EQ(crowd.per_worker().size(), 4U);
}

TEST_F(Mpctl, TheMaximumOfWorkersRisesWithTheirNumberAndFallsBack) {
  expect_done({"workers", "6"});
  EXPECT_TRUE(broker.await_workers(6));
  expect_done({"route", "1=5"});
  expect_done({"workers", "2"});
  EXPECT_EQ(mpctl({"route", "1=4"}).exit, "exit 1") << "slots 0 to 3, as configured";
  expect_done({"route", "1=3"});
  EXPECT_EQ(mpctl({"workers", "0"}).exit, "exit 2");
  EXPECT_EQ(mpctl({"workers", "4001"}).exit, "exit 2");
  for (const int count : {0, 4001}) {
    const auto answer = broker.request({{"command", "workers"}, {"count", count}});
    EXPECT_FALSE(answer.at("ok").as_bool()) << count;
  }
}

TEST_F(Mpctl, ARouteOfTheFileCanBeTakenAwayOnce) {
  BrokerSetup setup;
  setup.config = "workers = 2\n[listener main]\nlisten = 127.0.0.1:PORT\nroute = 7=1\n";
  const BrokerProcess with_file(setup);
  const std::vector<std::string> removal{"--control-socket", with_file.control_path(), "route",
                                         "--remove", "7"};
  EXPECT_EQ(run("mpctl", removal).exit, "exit 0");
  EXPECT_EQ(run("mpctl", removal).exit, "exit 1");
}

TEST_F(Mpctl, StopDrainsAndEndsTheBroker) {
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  expect_done({"stop"});
  EXPECT_TRUE(eventually([&] { return is_refused(broker.port()); }));
  EXPECT_EQ(client.message(), kHello);
  client.close();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST_F(Mpctl, WhatCannotBeDoneIsToldAndTheExitStatusSaysSo) {
  const Outcome no_slot = mpctl({"drain", "3"});
  EXPECT_EQ(no_slot.exit, "exit 1");
  EXPECT_NE(no_slot.err.find("slot 3"), std::string::npos) << no_slot.err;
  EXPECT_EQ(mpctl({"dance"}).exit, "exit 2");
  EXPECT_EQ(mpctl({}).exit, "exit 2");
  const Outcome nobody = run("mpctl", {"--control-socket", "/nonexistent/mp.sock", "status"});
  EXPECT_EQ(nobody.exit, "exit 1");
  EXPECT_NE(nobody.err.find("/nonexistent/mp.sock"), std::string::npos) << nobody.err;
}

}  // namespace
}  // namespace mpb::test
