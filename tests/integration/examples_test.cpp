// The examples, as a reader would run them: worker programs of one's own.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <utility>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

using namespace std::string_literals;

const std::string kPythonWorker = MPB_SOURCE_DIR "/tests/integration/control_worker.py";

/// A configuration's text with every key set that is commented out.
std::string with_every_key(std::istream& file) {
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
    text.append(key ? line.substr(1) : line).append("\n");
  }
  return text;
}

TEST(Examples, TheRtmpSetUpIsValidAsItIsAndWithEveryKeySet) {
  const std::string path = MPB_SOURCE_DIR "/examples/rtmp.ini";
  const Outcome as_it_is = run("mpbroker", {"--config", path, "--check-config"});
  EXPECT_EQ(as_it_is.exit, "exit 0") << as_it_is.err;
  std::ifstream file(path);
  const TempFolder folder;
  const std::string every = folder.write("every.ini", with_every_key(file));
  const Outcome all_set = run("mpbroker", {"--config", every, "--check-config"});
  EXPECT_EQ(all_set.exit, "exit 0") << all_set.err;
}

TEST(Examples, TheRtmpSetUpServesItsVhostsInEveryForm) {
  std::ifstream file(MPB_SOURCE_DIR "/examples/rtmp.ini");
  BrokerSetup setup;
  setup.config = (std::ostringstream() << file.rdbuf()).str();
  constexpr std::string_view kPort = ":1935\n";
  const auto port = setup.config.find(kPort);
  ASSERT_NE(port, std::string::npos);
  setup.config.replace(port, kPort.size(), ":PORT\n");
  const BrokerProcess broker(setup);
  for (const auto& [vhost, form] :
       {std::pair<std::string, std::string>{"live.example.com", "tcurl"},
        {"live.example.com", "stream"},
        {"a.b.example.org", "app"},
        {"other.test", "tcurl"}}) {
    const Outcome outcome =
        run("mprtmp",
            {"127.0.0.1", std::to_string(broker.port()), "--publish", "--play", "--clients", "4",
             "--vhost", vhost, "--vhost-form", form, "--hold", "200ms", "--timeout", "20s"});
    EXPECT_EQ(outcome.exit, "exit 0") << vhost << " " << form << outcome.out << broker.log();
  }
}

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

TEST(Examples, ThePythonWorkerFollowsReloads) {
  const std::uint16_t second = free_port();
  const std::string base = "workers = 2\nworker-program = " + kPythonWorker +
                           "\n[listener main]\nlisten = 127.0.0.1:PORT\n";
  BrokerSetup setup;
  setup.config = base + "[listener second]\nlisten = 127.0.0.1:" + std::to_string(second) + "\n";
  const BrokerProcess broker(setup);
  const auto reload = [&broker] { return broker.request({{"command", "reload"}}).at("ok"); };
  const auto counts = broker.fd_counts();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reload().as_bool());
  EXPECT_TRUE(broker.await_fd_counts(counts)) << "a reload costs no descriptor";
  EXPECT_EQ(Client(second).claim(1), kHello);
  broker.write_config(base);
  ASSERT_TRUE(reload().as_bool());
  EXPECT_TRUE(eventually([&] { return is_refused(second); }));
  EXPECT_EQ(Client(broker.port()).claim(2), kHello);
}

TEST(Examples, ThePythonWorkerEndsWhenItsBrokerStops) {
  BrokerProcess broker({"--workers", "2", "--worker-program", kPythonWorker});
  { Client(broker.port()).join(7); }
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0") << broker.log();
}

TEST(Examples, ThePythonWorkerSaysThatItWasToldToEnd) {
  const BrokerProcess broker({"--workers", "2", "--worker-program", kPythonWorker});
  Client client(broker.port());
  const Who who = client.join(7);
  ::kill(who.pid, SIGTERM);
  EXPECT_TRUE(eventually([&] { return broker.worker(who.worker).state == "draining"; }));
  EXPECT_EQ(client.message(), kHello) << "it is served to its end";
}

TEST(Examples, ThePythonWorkerKeepsItsKeysWithoutABroker) {
  BrokerProcess broker({"--workers", "2", "--worker-program", kPythonWorker, "--route", "7=0",
                        "--route", "8=0", "--on-broker-death", "serve"});
  Client first(broker.port());
  Client other(broker.port());
  const pid_t owner = first.join(7).pid;
  ASSERT_EQ(other.join(8).pid, owner);
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  EXPECT_EQ(other.claim(7), kHello) << "nobody else could serve it";
  EXPECT_EQ(other.who().pid, owner);
}

/// Its clients begin with a byte, and move when they are reset, or when their reader has been given
/// an error, as it is with the next byte.
std::string moves_what_is_gone(const TempFolder& folder) {
  return folder.write("worker",
                      "#!/usr/bin/env python3\n"
                      "import sys\n"
                      "sys.path.append('" MPB_SOURCE_DIR
                      "/python')\n"
                      "import mpbroker\n"
                      "async def serve(client):\n"
                      "    client.send(b'hello\\0')\n"
                      "    try:\n"
                      "        await client.reader.read(1)\n"
                      "    except ConnectionError as error:\n"
                      "        raise mpbroker.Move(b'other') from error\n"
                      "    client.reader.set_exception(ConnectionResetError())\n"
                      "    raise mpbroker.Move(b'other')\n"
                      "mpbroker.Worker(lambda data: (data[:1], 1), serve).run()\n",
                      0755);
}

TEST(Examples, ThePythonWorkerForgetsAClientThatIsGoneWhenItIsToMove) {
  const TempFolder folder;
  BrokerProcess broker(
      {"--workers", "1", "--protocol", "any", "--worker-program", moves_what_is_gone(folder)});
  Client gone(broker.port());
  Client broken(broker.port());
  for (Client* client : {&gone, &broken}) {
    client->send("1");
    ASSERT_EQ(client->read_text(), "hello");
  }
  const linger reset{1, 0};
  ::setsockopt(gone.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  gone.close();
  broken.send("2");
  EXPECT_TRUE(broken.sees_eof());
  EXPECT_TRUE(broker.await_held(0)) << broker.log();
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  EXPECT_EQ(broker.log().find("Traceback"), std::string::npos) << broker.log();
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
