// What workers need is missing for a while: their program, its interpreter, descriptors for them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// Two workers of a program that can be taken away.
class SystemFailure : public testing::Test {
 protected:
  static std::string copy_worker(const TempFolder& folder) {
    const std::string path = folder.file("the-worker");
    std::filesystem::copy_file(program_path("mpworker"), path);
    return path;
  }

  std::string state() { return broker.status().state; }
  std::string last_exit(int slot) {
    const auto report = broker.request({{"command", "status"}});
    return std::string(report.at("workers").at(slot).at("last_exit").as_string());
  }
  std::string why() {
    return std::string(broker.request({{"command", "status"}}).at("why").as_string());
  }
  std::string fate_of_a_client() {
    try {
      return Client(broker.port()).read_text();
    } catch (const std::exception&) {
      return std::string(kReset);  // told within connect(2) already
    }
  }
  void kill_workers() {
    for (const pid_t worker : broker.processes()) ::kill(worker, SIGKILL);
  }
  void expect_service() {
    ASSERT_TRUE(broker.await_workers(2));
    EXPECT_TRUE(eventually([&] { return state() == "running"; }));
    EXPECT_EQ(why(), "");
    Client client(broker.port());
    EXPECT_EQ(client.claim(1), kHello);
  }

  TempFolder folder;
  std::string program = copy_worker(folder);
  BrokerProcess broker{{"--workers", "2", "--worker-program", program}};
};

TEST_F(SystemFailure, AMissingProgramIsToldAndAwaited) {
  std::filesystem::rename(program, program + ".new");
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "down"; })) << state();
  EXPECT_EQ(last_exit(0), program + ": exec failed: No such file or directory");
  EXPECT_NE(why().find("exec failed: No such file or directory"), std::string::npos) << why();
  EXPECT_EQ(broker.status().count("parked"), 0U);
  for (int i = 0; i < 100; ++i) {
    const std::string end = fate_of_a_client();
    ASSERT_TRUE(end == kReset || end == kEof) << "client " << i << ": " << end;
  }
  const auto counters = broker.request({{"command", "status"}}).at("broker").as_object();
  EXPECT_GE(counters.at("turned_away").to_number<int>(), 100);
  std::filesystem::rename(program + ".new", program);
  expect_service();
}

TEST_F(SystemFailure, AProgramThatMayNotBeExecutedIsAwaited) {
  ::chmod(program.c_str(), 0644);
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "down"; })) << state();
  EXPECT_EQ(last_exit(1), program + ": exec failed: Permission denied");
  ::chmod(program.c_str(), 0755);
  expect_service();
}

TEST_F(SystemFailure, AnInterpreterThatIsMissingIsTold) {
  std::filesystem::rename(program, program + ".new");
  folder.write("the-worker", "#!/nonexistent/interpreter\n", 0755);
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "down"; })) << state();
  EXPECT_EQ(last_exit(0),
            program + ": exec failed: No such file or directory (its interpreter or loader)");
  std::filesystem::rename(program + ".new", program);
  expect_service();
}

TEST_F(SystemFailure, AWrapperThatDoesNotFindItsProgramIsTriedAgain) {
  std::filesystem::rename(program, program + ".new");
  folder.write("the-worker", "#!/bin/sh\nexec /nonexistent/worker\n", 0755);
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "down"; })) << state();
  EXPECT_EQ(broker.status().count("parked"), 0U);
  EXPECT_NE(last_exit(0).find("127"), std::string::npos) << last_exit(0);
  std::filesystem::rename(program + ".new", program);
  expect_service();
}

TEST_F(SystemFailure, AReloadTriesAtOnce) {
  std::filesystem::rename(program, program + ".new");
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "down"; })) << state();
  const auto refused = broker.request({{"command", "reload"}});
  EXPECT_FALSE(refused.at("ok").as_bool());
  std::filesystem::rename(program + ".new", program);
  EXPECT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  expect_service();
}

TEST_F(SystemFailure, OneWorkerLessIsDegradedAndServes) {
  const std::string gate = folder.file("gate");
  std::filesystem::rename(program, program + ".new");
  // The first that comes gets through.
  folder.write("the-worker",
               "#!/bin/sh\nmkdir " + gate + " 2> /dev/null && exec " + program + ".new\nexit 1\n",
               0755);
  kill_workers();
  ASSERT_TRUE(eventually([&] { return state() == "degraded"; })) << state();
  EXPECT_EQ(broker.status().count("online"), 1U);
  for (int id = 0; id < 10; ++id) {
    Client client(broker.port());
    EXPECT_EQ(client.claim(id), kHello);
  }
  std::filesystem::rename(program + ".new", program);
  expect_service();
}

TEST_F(SystemFailure, AForkThatFailsIsTriedAgain) {
  forbid_descriptors(broker.pid());
  kill_workers();
  EXPECT_TRUE(eventually([&] { return broker.log().find("failed=\"") != std::string::npos; }));
  allow_descriptors(broker.pid());
  expect_service();
}

TEST(WorkerProgramAtTheStart, ThatIsNotThereIsNamed) {
  const TempFolder folder;
  std::filesystem::copy_file(program_path("mpbroker"), folder.file("mpbroker"));
  for (const char* workers : {"2", "0"}) {
    ProgramStart start;
    start.program = folder.file("mpbroker");
    start.arguments = {"--listen", "127.0.0.1:0", "--workers", workers};
    start.environment = {"PATH=" + folder.path()};
    start.errors = folder.file(std::string("errors") + workers);
    ChildProcess broker(start);
    EXPECT_EQ(broker.wait_exit(20s), "exit 1");
    const std::string errors = read_file(start.errors);
    EXPECT_NE(errors.find(folder.file("mpworker")), std::string::npos) << errors;
  }
}

TEST(WorkerProgramAtTheStart, IsFoundInPath) {
  const TempFolder folder;
  std::filesystem::copy_file(program_path("mpbroker"), folder.file("mpbroker"));
  std::filesystem::create_directory(folder.file("bin"));
  std::filesystem::create_symlink(program_path("mpworker"), folder.file("bin/mpworker"));
  const std::uint16_t port = free_port();
  ProgramStart start;
  start.program = folder.file("mpbroker");
  start.arguments = {"--listen", "127.0.0.1:" + std::to_string(port), "--workers", "0"};
  start.environment = {"PATH=" + folder.file("bin")};
  const ChildProcess alone(start);
  EXPECT_TRUE(eventually([&] { return !is_refused(port); }));
}

}  // namespace
}  // namespace mpb::test
