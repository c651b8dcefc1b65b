// How a broker ends.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

TEST(Lifecycle, SigtermDrains) {
  BrokerProcess broker({"--workers", "3"});
  Crowd crowd(broker.port(), 30);
  ASSERT_EQ(crowd.join([](std::size_t i) { return i; }), 30U) << crowd.failures();
  const auto workers = broker.processes();
  broker.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return is_refused(broker.port()); })) << "it accepts no more";
  EXPECT_EQ(broker.status().state, "draining");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(crowd.message(), 30U) << crowd.failures();
  EXPECT_TRUE(broker.running());
  for (Client& client : crowd.clients()) client.close();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  for (const pid_t worker : workers) EXPECT_EQ(state_of(worker), '\0') << "reaped";
  EXPECT_FALSE(std::filesystem::exists(broker.control_path()));
}

TEST(Lifecycle, WithoutClientsItEndsAtOnce) {
  for (const int number : {SIGTERM, SIGINT}) {
    BrokerProcess broker({"--workers", "2", "--drain-timeout", "10m"});
    broker.signal(number);
    EXPECT_EQ(broker.wait_exit(), "exit 0");
  }
}

TEST(Lifecycle, DrainingIsBoundedInTime) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "700ms"});
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  const Stopwatch watch;
  broker.signal(SIGTERM);
  EXPECT_EQ(client.message(), kHello);
  EXPECT_TRUE(client.sees_eof());
  EXPECT_GE(watch.elapsed(), 500ms / slow_factor());
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Lifecycle, ASecondSigtermDoesNotWait) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "10m"});
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  broker.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return broker.status().state == "draining"; }));
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  EXPECT_TRUE(client.sees_eof());
}

TEST(Lifecycle, AHungWorkerDoesNotKeepItFromEnding) {
  BrokerProcess broker({"--workers", "2", "--drain-timeout", "500ms", "--ping-limit", "60s"});
  ::kill(broker.worker_pid(1), SIGSTOP);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Lifecycle, SingleProcessDrainsToo) {
  BrokerProcess broker({"--workers", "0", "--drain-timeout", "30s"});
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  broker.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return is_refused(broker.port()); }));
  EXPECT_EQ(client.message(), kHello);
  client.close();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(Lifecycle, NoLineIsLoggedPerClient) {
  BrokerProcess broker({"--workers", "2"});
  const auto lines = [&] {
    const std::string log = broker.log();
    return std::count(log.begin(), log.end(), '\n');
  };
  const auto before = lines();
  for (int i = 0; i < 3; ++i) {
    Crowd crowd(broker.port(), 100);
    ASSERT_EQ(crowd.join([](std::size_t k) { return k; }), 100U) << crowd.failures();
  }
  ASSERT_TRUE(broker.await_held(0));
  EXPECT_EQ(lines(), before);
}

TEST(Lifecycle, LogLinesAreLogfmtWithThePriorityUnderSystemd) {
  const BrokerProcess plain;
  EXPECT_EQ(plain.log().rfind("time=", 0), 0U) << plain.log();
  EXPECT_NE(plain.log().find(" level=info program=mpbroker event=online slot=0 pid="),
            std::string::npos)
      << plain.log();
  // $JOURNAL_STREAM names the device and inode of standard error when that is the journal.
  const TempFolder folder;
  ProgramStart start;
  start.program = program_path("mpbroker");
  start.arguments = {"--listen", "127.0.0.1:0", "--workers", "1"};
  start.errors = folder.write("journal", "");
  struct stat journal {};
  ASSERT_EQ(::stat(start.errors.c_str(), &journal), 0);
  start.environment = {"JOURNAL_STREAM=" + std::to_string(journal.st_dev) + ":" +
                       std::to_string(journal.st_ino)};
  ChildProcess broker(start);
  EXPECT_TRUE(eventually([&] {
    return read_file(start.errors).find("<6>program=mpbroker event=online slot=0 pid=") !=
           std::string::npos;
  })) << read_file(start.errors);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(kPatience), "exit 0");
}

}  // namespace
}  // namespace mpb::test
