// Workers that cannot start.
#include <gtest/gtest.h>

#include <csignal>

#include "common/base/units.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

BrokerSetup with_worker_program(const TempFolder& folder, const std::string& script,
                                std::vector<std::string> arguments) {
  BrokerSetup setup;
  setup.arguments = std::move(arguments);
  setup.arguments.insert(
      setup.arguments.end(),
      {"--worker-program", folder.write("worker", "#!/bin/sh\n" + script, 0755)});
  setup.await_ready = false;
  return setup;
}

/// Runs `body` in the first process only; the others are workers.
std::string once(const TempFolder& folder, const std::string& body) {
  return "if mkdir " + folder.file("first") + " 2>/dev/null; then " + body + "; fi\nexec " +
         program_path("mpworker") + "\n";
}

bool await_control(const BrokerProcess& broker) {
  return eventually([&] {
    try {
      static_cast<void>(broker.status());
      return true;
    } catch (const std::exception&) {
      return false;
    }
  });
}

TEST(Start, AWorkerThatCrashesAtItsStartIsTriedAgain) {
  const TempFolder folder;
  BrokerProcess broker(with_worker_program(folder, once(folder, "exit 1"), {"--workers", "2"}));
  ASSERT_TRUE(await_control(broker));
  ASSERT_TRUE(broker.await_workers(2));
  broker.remember_rest();
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.restarts; }), 1);
  Crowd crowd(broker.port(), 20);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 20U) << crowd.failures();
}

TEST(Start, AWorkerKilledAtItsStartIsTriedAgain) {
  const TempFolder folder;
  BrokerProcess broker(with_worker_program(folder, once(folder, "kill -9 $$"), {"--workers", "2"}));
  ASSERT_TRUE(await_control(broker));
  ASSERT_TRUE(broker.await_workers(2));
  broker.remember_rest();
  Crowd crowd(broker.port(), 20);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 20U) << crowd.failures();
}

TEST(Start, AWorkerThatIsNotReadyInTimeIsKilledAndTriedAgain) {
  const TempFolder folder;
  BrokerProcess broker(with_worker_program(folder, once(folder, "exec sleep 1000"),
                                           {"--workers", "2", "--start-timeout", "1500ms"}));
  ASSERT_TRUE(await_control(broker));
  ASSERT_TRUE(broker.await_workers(2));
  broker.remember_rest();
  EXPECT_EQ(broker.status().sum([](const WorkerStatus& w) { return w.restarts; }), 1);
}

TEST(Start, ExitCodeTwoParksTheWorkerAndTheOthersGoOn) {
  const TempFolder folder;
  BrokerProcess broker(with_worker_program(folder, once(folder, "exit 2"), {"--workers", "2"}));
  ASSERT_TRUE(await_control(broker));
  ASSERT_TRUE(broker.await_workers(1, "parked"));
  ASSERT_TRUE(broker.await_workers(1, "online"));
  broker.remember_rest();
  Crowd crowd(broker.port(), 20);
  EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), 20U) << crowd.failures();
  EXPECT_EQ(broker.status().count("parked"), 1U) << "it is not tried again by itself";
  EXPECT_NE(broker.log().find("parked"), std::string::npos);
  EXPECT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  EXPECT_TRUE(broker.await_workers(2)) << "but when told to";
}

TEST(Start, ACrashLoopEndsInBackOff) {
  const TempFolder folder;
  BrokerProcess broker(with_worker_program(folder, "exit 1\n", {"--workers", "1"}));
  ASSERT_TRUE(await_control(broker));
  EventStream events(broker.control_path());
  Duration last{0};
  int longer = 0;
  for (int i = 0; i < 4; ++i) {
    const auto event = events.await("restart", 0);
    ASSERT_FALSE(event.empty());
    const Duration delay{event.at("in_ms").to_number<std::int64_t>()};
    if (delay > last) ++longer;
    last = delay;
  }
  EXPECT_GE(longer, 3) << "each delay is longer than the one before";
  EXPECT_TRUE(eventually([&] { return broker.worker(0).state == "backoff"; }));
  EXPECT_GE(broker.worker(0).restarts, 4);
  EXPECT_TRUE(broker.running());
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0") << "it ends in this state, too";
}

TEST(Start, ALoopOfLaterCrashesBacksOffToo) {
  BrokerProcess broker({"--workers", "2"});
  Duration last{0};
  EventStream events(broker.control_path());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(broker.await_workers(2));
    ::kill(broker.worker_pid(0), SIGKILL);
    const auto event = events.await("restart", 0);
    ASSERT_FALSE(event.empty());
    const Duration delay{event.at("in_ms").to_number<std::int64_t>()};
    if (i == 0) {
      EXPECT_EQ(delay, 0ms) << "a single crash costs no time";
    } else {
      EXPECT_GT(delay, last);
    }
    last = delay;
  }
  EXPECT_TRUE(broker.await_workers(2));
}

TEST(Start, AMissingWorkerProgramIsAnError) {
  const Outcome outcome =
      run("mpbroker", {"--listen", "127.0.0.1:0", "--worker-program", "/nonexistent/worker"});
  EXPECT_EQ(outcome.exit, "exit 2");
  EXPECT_NE(outcome.err.find("/nonexistent/worker"), std::string::npos) << outcome.err;
}

TEST(Start, ATakenAddressIsAnErrorThatNamesIt) {
  const BrokerProcess broker;
  const std::string address = "127.0.0.1:" + std::to_string(broker.port());
  const Outcome outcome = run("mpbroker", {"--listen", address});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_NE(outcome.err.find(address), std::string::npos) << outcome.err;
  for (const char* workers : {"1", "0"}) {
    const std::string log = run("mpbroker", {"--listen", address, "--workers", workers}).err;
    const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
    EXPECT_EQ(last.rfind("time=", 0), 0U) << "a line of the log: " << last;
    EXPECT_NE(last.find(" level=error "), std::string::npos) << last;
    EXPECT_NE(last.find(" event=failed why="), std::string::npos) << last;
  }
}

}  // namespace
}  // namespace mpb::test
