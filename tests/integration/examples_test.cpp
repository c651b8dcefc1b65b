// The examples, as a reader would run them: worker programs of one's own.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

using namespace std::string_literals;

const std::string kPythonWorker = MPB_SOURCE_DIR "/examples/python_worker.py";

TEST(Examples, ThePythonWorkerMeetsEveryClientOfAnId) {
  const BrokerProcess broker({"--workers", "2", "--worker-program", kPythonWorker});
  const Outcome outcome =
      run("mpclient",
          {"127.0.0.1", std::to_string(broker.port()), "--concurrency", "16", "--clients", "1000",
           "--ids", "uniform:50", "--messages", "1", "--verify", "--timeout", "60s"},
          100s);
  EXPECT_EQ(outcome.exit, "exit 0") << outcome.out << outcome.err << broker.log();
  const BrokerStatus status = broker.status();
  EXPECT_EQ(status.worker(0).restarts + status.worker(1).restarts, 0);
}

TEST(Examples, ThePythonWorkerMovesClientsAndIsMovedTo) {
  const BrokerProcess broker(
      {"--workers", "2", "--worker-program", kPythonWorker, "--route", "1=0", "--route", "2=1"});
  Client client(broker.port());
  const Who first = client.join(1);
  EXPECT_EQ(first.worker, 0);
  const Who second = client.join(2);
  EXPECT_EQ(second.worker, 1);
  EXPECT_GE(second.hops, first.hops + 1);
  client.send(claim_bytes(1) + message_bytes("a") + claim_bytes(2) + "W");
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_text(), kHello);
  EXPECT_EQ(client.read_who().id, "2");
}

TEST(Examples, ThePythonWorkerEndsWhenItsBrokerStops) {
  BrokerProcess broker({"--workers", "2", "--worker-program", kPythonWorker});
  { Client(broker.port()).join(7); }
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0") << broker.log();
}

TEST(Examples, TheCppWorkerBringsItsOwnProtocol) {
  const BrokerProcess broker(
      {"--workers", "2", "--protocol", "room", "--worker-program", program_path("shout_worker")});
  Client client(broker.port());
  client.send("kitchen\nhello\0\n"s);
  EXPECT_EQ(client.read_text(), "HELLO");
  client.send("again\0\n"s);
  EXPECT_EQ(client.read_text(), "\nAGAIN");
}

}  // namespace
}  // namespace mpb::test
