// What befalls a worker while clients come and go: only clients that it had adopted are lost.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/traffic.hpp"

namespace mpb::test {
namespace {

constexpr int kLanes = 2;            // of traffic for each id: so many of its clients at once
constexpr std::size_t kHeld = 30;    // clients that stay connected
constexpr std::uint64_t kSome = 20;  // clients that come and go are seen to be served
constexpr int kVictim = 1;           // the slot

struct Blow {
  const char* name;
  int signal;                    // to the worker; 0: its descriptors are forbidden instead
  std::string exit = {};         // exit code of the next process that is started
  std::string state = "online";  // of its slot in the end
};

void PrintTo(const Blow& blow, std::ostream* out) {
  *out << blow.name;
}

/// Worker 0 accepts all and has id 0; ids 1 and 2 are those of workers 1 and 2, which get their
/// clients handed over.
class FailureUnderLoad : public testing::TestWithParam<Blow> {
 protected:
  std::vector<std::string> options() {
    const std::string program = "#!/bin/sh\nif [ -e " + fail_ + " ]; then code=$(cat " + fail_ +
                                "); rm " + fail_ + "; exit $code; fi\nexec " +
                                program_path("mpworker") + "\n";
    return {"--workers",        "3",
            "--acceptors",      "1",
            "--route",          "0=0",
            "--route",          "1=1",
            "--route",          "2=2",
            "--ping-limit",     "3s",
            "--worker-program", folder_.write("worker", program, 0755)};
  }

  void SetUp() override {
    ASSERT_EQ(held.join([](std::size_t i) { return i % 3; }), kHeld) << held.failures();
    victim = broker.worker_pid(kVictim);
    for (int id = 0; id < 3; ++id) {
      traffic.push_back(std::make_unique<Traffic>(broker.port(), id, kLanes));
    }
    for (const auto& one : traffic) ASSERT_TRUE(one->await_served(kSome)) << one->failures();
  }

  void strike() {
    if (!GetParam().exit.empty()) folder_.write("fail", GetParam().exit);
    if (GetParam().signal != 0) {
      ::kill(victim, GetParam().signal);
    } else {
      forbid_descriptors(victim);
    }
  }

  [[nodiscard]] bool survives() const { return GetParam().signal == 0; }

  void expect_held_clients() {
    for (std::size_t i = 0; i < kHeld; ++i) {
      Client& client = held.clients()[i];
      if (held.who()[i].pid == victim && !survives()) {
        const std::string end = client.read_text();
        EXPECT_TRUE(end == kEof || end == kReset) << "client " << i << ": " << end;
      } else {
        EXPECT_EQ(client.message(), kHello) << "client " << i;
        EXPECT_EQ(client.who().pid, held.who()[i].pid) << "client " << i;
      }
    }
  }

  TempFolder folder_;
  std::string fail_ = folder_.file("fail");
  BrokerProcess broker{options()};
  Crowd held{broker.port(), kHeld};
  pid_t victim = -1;
  std::vector<std::unique_ptr<Traffic>> traffic;
};

TEST_P(FailureUnderLoad, OnlyClientsOfThatWorkerAreLost) {
  strike();
  for (const int bystander : {0, 2}) EXPECT_TRUE(traffic[bystander]->await_served(kSome));
  expect_held_clients();
  EXPECT_TRUE(traffic[kVictim]->await_served(kSome)) << "by it, its successor, or another";

  const std::string& state = GetParam().state;
  EXPECT_TRUE(eventually([&] {
    const WorkerStatus worker = broker.worker(kVictim);
    return worker.state == state && (survives() || worker.pid != victim);
  })) << broker.worker(kVictim).state;
  EXPECT_NE(::access(fail_.c_str(), F_OK), 0) << "no process has failed";
  if (state == "parked") {
    for (const auto& one : traffic) EXPECT_TRUE(one->await_served(kSome)) << one->failures();
    EXPECT_NE(broker.log().find("event=restart slot=1 state=parked"), std::string::npos);
    EXPECT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
    EXPECT_TRUE(broker.await_workers(3));
  }
  if (survives()) {
    allow_descriptors(victim);
    EXPECT_EQ(broker.worker_pid(kVictim), victim);
  }
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).join(kVictim).worker == kVictim; }))
      << "it serves again";

  for (const auto& one : traffic) one->stop();
  for (const int bystander : {0, 2}) {
    EXPECT_EQ(traffic[bystander]->failed(), 0U) << traffic[bystander]->failures();
  }
  // Those that it had adopted: each lane has one client at a time.
  const std::uint64_t adopted = survives() ? 0 : kLanes;
  EXPECT_LE(traffic[kVictim]->failed(), adopted) << traffic[kVictim]->failures();
}

INSTANTIATE_TEST_SUITE_P(
    , FailureUnderLoad,
    testing::Values(Blow{"Kill", SIGKILL}, Blow{"Hang", SIGSTOP}, Blow{"UnexpectedSignal", SIGUSR1},
                    Blow{"ExitTwoAtItsRestart", SIGKILL, "2", "parked"},
                    Blow{"CrashAtItsRestart", SIGKILL, "1"}, Blow{"NoDescriptors", 0}),
    [](const testing::TestParamInfo<Blow>& blow) { return std::string(blow.param.name); });

}  // namespace
}  // namespace mpb::test
