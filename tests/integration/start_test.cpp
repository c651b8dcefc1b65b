// What comes while a program starts, and what it finds when it does.
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// So much to read that a start takes a while.
std::string long_config(const std::string& head) {
  std::string text = head + "[listener main]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n";
  for (int i = 0; i < 5000; ++i)
    text += "[vhost v" + std::to_string(i) + ".example]\ngop-cache = yes\n";
  return text;
}

/// Waits until the process has read as much: it is behind the first line of main.
bool has_read(pid_t pid, std::size_t bytes) {
  return eventually([&] {
    const std::string io = read_file("/proc/" + std::to_string(pid) + "/io");
    return io.starts_with("rchar: ") && std::stoull(io.substr(7)) >= bytes;
  });
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

BrokerSetup starting(const std::string& head) {
  BrokerSetup setup;
  setup.config = long_config(head);
  setup.await_ready = false;
  return setup;
}

/// SIGHUP again and again, from the reading of the configuration until it is up.
void hang_up_until(BrokerProcess& broker, const std::function<bool()>& up) {
  ASSERT_TRUE(has_read(broker.pid(), long_config("").size()));
  EXPECT_TRUE(eventually(
      [&] {
        broker.signal(SIGHUP);
        return !broker.running() || up();
      },
      60s));
  EXPECT_TRUE(broker.running());
}

TEST(Start, ASighupWhileTheBrokerStartsIsAReload) {
  BrokerProcess broker(starting("workers = 1\n"));
  hang_up_until(broker, [&] { return has(broker.log(), "event=reload ok=true"); });
  EXPECT_TRUE(broker.await_workers(1));
}

TEST(Start, ASighupWhileTheSingleProcessStartsIsAReload) {
  BrokerProcess single(starting("workers = 0\n"));
  hang_up_until(single, [&] { return has(single.log(), "event=reload ok=true"); });
}

TEST(Start, ASigtermWhileItStartsEndsItWell) {
  for (const char* head : {"workers = 1\n", "workers = 0\n"}) {
    BrokerProcess broker(starting(head));
    ASSERT_TRUE(has_read(broker.pid(), long_config("").size()));
    broker.signal(SIGTERM);
    EXPECT_EQ(broker.wait_exit(kPatience), "exit 0");
  }
}

TEST(Start, ASighupToAWorkerThatStartsIsNothing) {
  BrokerProcess broker({"--workers", "1"});
  pid_t worker = broker.worker_pid(0);
  for (int round = 0; round < 5; ++round) {
    ::kill(worker, SIGKILL);
    pid_t next = 0;
    ASSERT_TRUE(eventually([&] {
      for (const pid_t pid : children_of(broker.pid())) next = pid != worker ? pid : next;
      return next != 0;
    }));
    for (int i = 0; i < 100; ++i) ::kill(next, SIGHUP);
    ASSERT_TRUE(eventually([&] {
      const WorkerStatus now = broker.worker(0);
      return now.pid == next && now.state == "online";
    })) << broker.log();
    worker = next;
  }
  broker.forget_rest();
}

/// Of a process's status (proc(5)): which signals are in the set of this name.
std::uint64_t signals_in(const std::string& status, const std::string& name) {
  const auto at = status.find(name + ":\t");
  return at == std::string::npos ? ~0ULL
                                 : std::stoull(status.substr(at + name.size() + 2), nullptr, 16);
}

std::uint64_t bit(int number) {
  return 1ULL << static_cast<unsigned>(number - 1);
}

/// Blocked none, ignored none of those that mpbroker ignores.
bool finds_defaults(const std::string& status) {
  const std::uint64_t ours = bit(SIGPIPE) | bit(SIGXFSZ) | bit(SIGTTOU) | bit(SIGIO) | bit(SIGTERM);
  return signals_in(status, "SigBlk") == 0 && (signals_in(status, "SigIgn") & ours) == 0;
}

TEST(Start, AWorkerProgramOfAUserFindsSignalsAsByDefault) {
  for (const char* workers : {"1", "0"}) {
    const TempFolder folder;
    const std::string told = folder.file("told");
    BrokerSetup setup;
    setup.arguments = {
        "--workers", workers, "--worker-program",
        folder.write("worker", "#!/bin/sh\ncat /proc/self/status > " + told + "\nexit 2\n", 0755)};
    setup.await_ready = false;
    const BrokerProcess broker(setup);
    EXPECT_TRUE(eventually([&] { return finds_defaults(read_file(told)); })) << read_file(told);
  }
}

/// Leaves a child that ends soon and has lost its parent, then goes on as mpworker.
std::string program_that_leaves_an_orphan(const TempFolder& folder) {
  return folder.write(
      "worker", "#!/bin/sh\n(sleep 0.1 &)\nexec " + program_path("mpworker") + " \"$@\"\n", 0755);
}

std::size_t sleepers_of(pid_t pid) {
  std::size_t count = 0;
  for (const pid_t child : children_of(pid)) {
    if (has(read_file("/proc/" + std::to_string(child) + "/stat"), "(sleep)")) ++count;
  }
  return count;
}

TEST(Start, OrphansAreReapedByABrokerThatIsGivenThem) {
  const TempFolder folder;
  BrokerSetup setup;
  setup.arguments = {"--workers", "2", "--worker-program", program_that_leaves_an_orphan(folder)};
  setup.before_exec = [] { ::prctl(PR_SET_CHILD_SUBREAPER, 1); };
  BrokerProcess broker(setup);
  EXPECT_TRUE(eventually([&] { return sleepers_of(broker.pid()) == 0; }));
  EXPECT_TRUE(broker.await_workers(2));
  // It still learns how its own children end.
  ::kill(broker.worker_pid(0), SIGKILL);
  EXPECT_TRUE(eventually([&] { return has(broker.log(), "killed by SIGKILL"); }));
  EXPECT_TRUE(eventually([&] { return sleepers_of(broker.pid()) == 0; }));
  EXPECT_TRUE(broker.await_workers(2));
}

TEST(Start, OrphansAreReapedByASingleProcessThatIsGivenThem) {
  const TempFolder folder;
  BrokerSetup setup;
  setup.arguments = {"--workers", "0", "--worker-program", program_that_leaves_an_orphan(folder)};
  setup.before_exec = [] { ::prctl(PR_SET_CHILD_SUBREAPER, 1); };
  BrokerProcess single(setup);
  EXPECT_TRUE(eventually([&] { return sleepers_of(single.pid()) == 0; }));
}

TEST(Start, ChildrenOfTheProgramBeforeAreReaped) {
  ProgramStart start;
  start.program = "/bin/sh";
  const TempFolder folder;
  start.errors = folder.file("log");
  start.arguments = {"-c", "sleep 0.1 & exec \"$0\" --listen 127.0.0.1:0 --workers 1",
                     program_path("mpbroker")};
  ChildProcess broker(start);
  ASSERT_TRUE(eventually([&] { return has(read_file(start.errors), "event=online"); }));
  EXPECT_TRUE(eventually([&] { return sleepers_of(broker.pid()) == 0; }));
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(kPatience), "exit 0");
}

TEST(Start, AParentThatIgnoresSigchldDoesNoHarm) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "1"};
  setup.before_exec = [] { ::signal(SIGCHLD, SIG_IGN); };
  BrokerProcess broker(setup);
  ::kill(broker.worker_pid(0), SIGKILL);
  EXPECT_TRUE(eventually([&] { return has(broker.log(), "killed by SIGKILL"); }));
  EXPECT_TRUE(broker.await_workers(1));
}

}  // namespace
}  // namespace mpb::test
