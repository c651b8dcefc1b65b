// Worker programs of one's own that fail, or do not know all protocols.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <exception>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

using namespace std::string_literals;

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t times = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

std::string run_worker() {
  return "exec " + program_path("mpworker") + "\n";
}

/// A worker program that exits with `code` while a file `fail` is in the folder.
std::string fails_on_demand(const TempFolder& folder, int code) {
  return folder.write("worker",
                      "#!/bin/sh\n[ -e " + folder.file("fail") + " ] && exit " +
                          std::to_string(code) + "\n" + run_worker(),
                      0755);
}

bool ok(const boost::json::object& answer) {
  return answer.at("ok").as_bool();
}

TEST(OwnWorker, AnExtraWorkerThatCrashesAtItsStartIsNotForkedWithoutEnd) {
  const TempFolder folder;
  BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "1",
                        "--route-timeout", "500ms", "--worker-program", fails_on_demand(folder, 1),
                        "--spawn", "exec"});
  Client first(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  folder.write("fail", "");
  const Stopwatch watch;
  for (int id = 2; watch.elapsed() < 1s; ++id) {
    Client waiting(broker.port());
    EXPECT_EQ(waiting.claim(id), kBusy);
  }
  EXPECT_LT(count(broker.log(), "event=fork"), 20U);
  EXPECT_TRUE(broker.running());
  EXPECT_EQ(first.message(), kHello);
  ::unlink(folder.file("fail").c_str());
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(99) == kHello; }))
      << "it is tried again";
}

TEST(OwnWorker, AParkedSlotThatIsExtraNowDoesNotBlockGrowth) {
  const TempFolder folder;
  const BrokerProcess broker({"--workers", "2", "--max-workers", "2", "--max-clients", "1",
                              "--worker-program", fails_on_demand(folder, 2), "--spawn", "exec"});
  folder.write("fail", "");
  ::kill(broker.worker_pid(1), SIGKILL);
  ASSERT_TRUE(broker.await_workers(1, "parked"));
  ::unlink(folder.file("fail").c_str());
  EXPECT_TRUE(ok(broker.request({{"command", "workers"}, {"count", 1}})));
  Client first(broker.port());
  EXPECT_EQ(first.claim(1), kHello);
  Client second(broker.port());
  EXPECT_EQ(second.claim(2), kHello);
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST(OwnWorker, AParkedExtraWorkerIsForgivenByAReload) {
  const TempFolder folder;
  const BrokerProcess broker({"--workers", "1", "--max-workers", "2", "--max-clients", "1",
                              "--route-timeout", "1s", "--worker-program",
                              fails_on_demand(folder, 2), "--spawn", "exec"});
  Client first(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  folder.write("fail", "");
  { EXPECT_EQ(Client(broker.port()).claim(2), kBusy); }
  ASSERT_TRUE(broker.await_workers(1, "parked"));
  ::unlink(folder.file("fail").c_str());
  EXPECT_TRUE(ok(broker.request({{"command", "reload"}})));
  Client second(broker.port());
  EXPECT_EQ(second.claim(3), kHello);
}

TEST(OwnWorker, AReloadWithAProtocolItDoesNotKnowCostsNobody) {
  const std::string config = "workers = 2\nworker-program = " + program_path("shout_worker") +
                             "\n[listener a]\nlisten = 127.0.0.1:PORT\nprotocol = room\n";
  BrokerSetup setup;
  setup.config = config;
  BrokerProcess broker(setup);
  const BrokerStatus before = broker.status();
  Client client(broker.port());
  client.send("kitchen\nhello\0\n"s);
  ASSERT_EQ(client.read_text(), "HELLO");

  broker.write_config(config + "[listener b]\nlisten = 127.0.0.1:" + std::to_string(free_port()) +
                      "\nprotocol = rom\n");
  EXPECT_TRUE(ok(broker.request({{"command", "reload"}})));
  EXPECT_TRUE(eventually([&] { return count(broker.log(), "event=listener.failed") == 2; }))
      << "each worker says so";
  broker.forget_rest();  // the broker keeps a listener that the workers do not have
  client.send("again\0\n"s);
  EXPECT_EQ(client.read_text(), "\nAGAIN");
  Client fresh(broker.port());
  fresh.send("kitchen\nme, too\0\n"s);
  EXPECT_EQ(fresh.read_text(), "ME, TOO");
  const BrokerStatus after = broker.status();
  for (const int slot : {0, 1}) EXPECT_EQ(after.worker(slot).pid, before.worker(slot).pid);
}

TEST(OwnWorker, StartedDirectlyItServesAProtocolOfItsOwn) {
  const std::uint16_t port = free_port();
  ProgramStart start;
  start.program = program_path("shout_worker");
  start.arguments = {"--listen", "127.0.0.1:" + std::to_string(port), "--protocol", "room"};
  const ChildProcess worker(start);
  const auto answers = [port] {
    try {
      Client client(port);
      client.send("kitchen\nhello\0\n"s);
      return client.read_text() == "HELLO";
    } catch (const std::exception&) {
      return false;  // it does not listen yet
    }
  };
  EXPECT_TRUE(eventually(answers));
}

}  // namespace
}  // namespace mpb::test
