// The load client when its server fails it.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

/// mpclient against a broker, with its report in a file.
class LoadClient {
 public:
  LoadClient(std::uint16_t port, std::vector<std::string> options) {
    ProgramStart start;
    start.program = program_path("mpclient");
    start.arguments = {"127.0.0.1", std::to_string(port)};
    start.arguments.insert(start.arguments.end(), options.begin(), options.end());
    start.output = folder_.file("report");
    start.errors = folder_.file("errors");
    child_ = std::make_unique<ChildProcess>(start);
  }
  void signal(int number) const { child_->signal(number); }
  std::string wait_exit(Duration limit) { return child_->wait_exit(limit); }
  [[nodiscard]] std::string report() const { return read_file(folder_.file("report")); }

 private:
  TempFolder folder_;
  std::unique_ptr<ChildProcess> child_;
};

std::int64_t accepted(const BrokerStatus& status) {
  return status.sum([](const WorkerStatus& worker) { return worker.accepted; });
}

TEST(Mpclient, ReportsAndEndsWhenAllWorkersAreKilledUnderIt) {
  const BrokerProcess broker({"--workers", "2"});
  LoadClient load(broker.port(), {"--concurrency", "200", "--duration", "60s", "--verify", "--ids",
                                  "uniform:50", "--timeout", "3s"});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(eventually([&] { return accepted(broker.status()) > 1000; }));
    for (const pid_t worker : broker.processes()) ::kill(worker, SIGKILL);
    ASSERT_TRUE(broker.await_workers(2));
  }
  load.signal(SIGTERM);
  EXPECT_EQ(load.wait_exit(kPatience), "exit 1") << "clients were lost";
  const std::string report = load.report();
  EXPECT_NE(report.find("lost"), std::string::npos) << report;
  EXPECT_NE(report.find("problem"), std::string::npos) << report;
  EXPECT_NE(report.find("mpclient  busy"), std::string::npos) << "it is complete: " << report;
}

TEST(Mpclient, AnOpenLoopStartsEveryClientThatIsDueBeforeItsEnd) {
  const BrokerProcess broker({"--workers", "1"});
  const Outcome outcome = run("mpclient", {"127.0.0.1", std::to_string(broker.port()), "--rate",
                                           "1000", "--duration", "300ms"});
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find(" 300 started, 300 served,"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find("never started"), std::string::npos) << outcome.out;
}

TEST(Mpclient, AnOpenLoopTellsHowManyFoundNoRoom) {
  const std::uint16_t port = free_port();
  const UniqueFd silent = listen_on(loopback(port), 64).value();
  const Outcome outcome =
      run("mpclient", {"127.0.0.1", std::to_string(port), "--rate", "100", "--concurrency", "1",
                       "--duration", "500ms", "--timeout", "2s"});
  EXPECT_EQ(outcome.exit, "exit 1") << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find(" 1 started,"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("49 were due but never started: no room for them"), std::string::npos)
      << outcome.out;
}

}  // namespace
}  // namespace mpb::test
