// Where servers listen: unix paths over their life, abstract names, host names, and what is said
// when it cannot be.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

bool exists(const std::string& path) {
  return std::filesystem::exists(std::filesystem::symlink_status(path));
}

Endpoint unix_at(const std::string& path) {
  return parse_endpoint("unix:" + path).value();
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

bool greets(const Endpoint& endpoint) {
  try {
    return Client(endpoint).claim(1) == kHello;
  } catch (const std::runtime_error&) {
    return false;
  }
}

bool reload(const BrokerProcess& broker) {
  return broker.request({{"command", "reload"}}).at("ok").as_bool();
}

class UnixPath : public testing::Test {
 protected:
  const TempFolder folder;
  const std::string path = folder.file("clients");
  const std::string tcp = "[listener tcp]\nlisten = 127.0.0.1:PORT\n";
  BrokerSetup setup() const {
    BrokerSetup made;
    made.config = "[listener unix]\nlisten = unix:" + path + "\nmode = 0640\n" + tcp;
    return made;
  }
};

TEST_F(UnixPath, DeletedItIsMadeAgainAtAReload) {
  const BrokerProcess broker(setup());
  Client before(unix_at(path));
  ASSERT_EQ(before.claim(7), kHello);
  std::filesystem::remove(path);
  std::filesystem::remove(broker.control_path());
  broker.signal(SIGHUP);
  ASSERT_TRUE(eventually([&] { return exists(path) && exists(broker.control_path()); }));
  EXPECT_TRUE(eventually([&] { return greets(unix_at(path)); }));
  EXPECT_EQ(mode_of(path), 0640U);
  EXPECT_EQ(mode_of(broker.control_path()), 0600U);
  EXPECT_EQ(broker.status().count("online"), 2U);
  EXPECT_EQ(before.message(), kHello);
}

TEST_F(UnixPath, GoesWithItsListener) {
  BrokerProcess broker(setup());
  broker.write_config("[listener unix]\nlisten = unix:" + path + "2\n" + tcp);
  ASSERT_TRUE(reload(broker));
  EXPECT_FALSE(exists(path));
  EXPECT_TRUE(greets(unix_at(path + "2")));
  broker.write_config(tcp);
  ASSERT_TRUE(reload(broker));
  EXPECT_FALSE(exists(path + "2"));
}

TEST_F(UnixPath, IsGoneAfterAReloadThatFails) {
  const BrokerProcess broker(setup());
  broker.write_config("[listener new]\nlisten = unix:" + path +
                      "2\n[listener bad]\nlisten = unix:" + folder.file("none/s") + "\n" + tcp);
  const auto answer = broker.request({{"command", "reload"}});
  EXPECT_FALSE(answer.at("ok").as_bool());
  EXPECT_TRUE(answer.contains("help"));
  EXPECT_FALSE(exists(path + "2"));
  EXPECT_TRUE(greets(unix_at(path)));
}

TEST_F(UnixPath, IsGoneAfterTheEndAndAfterAStartThatFails) {
  {
    BrokerProcess broker(setup());
    broker.signal(SIGTERM);
    EXPECT_EQ(broker.wait_exit(), "exit 0");
    EXPECT_FALSE(exists(path));
    EXPECT_FALSE(exists(broker.control_path()));
  }
  const std::string config =
      folder.write("bad.ini", "[listener a]\nlisten = unix:" + path +
                                  "\n[listener b]\nlisten = unix:" + folder.file("none/s") + "\n");
  for (const char* workers : {"1", "0"}) {
    const Outcome outcome = run("mpbroker", {"--config", config, "--workers", workers});
    EXPECT_NE(outcome.exit, "exit 0");
    EXPECT_NE(outcome.err.find("help="), std::string::npos) << outcome.err;
    EXPECT_FALSE(exists(path)) << workers;
  }
}

TEST_F(UnixPath, OfASuccessorStays) {
  BrokerProcess broker(setup());
  BrokerSetup next;
  next.config = "[listener unix]\nlisten = unix:" + path + ".new\n" + tcp;
  const BrokerProcess successor(next);
  std::filesystem::rename(path + ".new", path);
  ASSERT_TRUE(reload(broker));
  EXPECT_NE(broker.log().find("listener.path_taken"), std::string::npos);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  EXPECT_TRUE(greets(unix_at(path)));
}

TEST_F(UnixPath, ThatAFileHasTakenIsToldAndTheFileStays) {
  for (const char* workers : {"1", "0"}) {
    BrokerSetup begin = setup();
    begin.arguments = {"--workers", workers};
    BrokerProcess broker(begin);
    ASSERT_TRUE(eventually([&] { return greets(unix_at(path)); }));
    std::filesystem::remove(path);
    { const std::ofstream file(path); }
    broker.signal(SIGHUP);
    EXPECT_TRUE(eventually(
        [&] { return broker.log().find("event=listener.path_taken") != std::string::npos; }));
    broker.signal(SIGTERM);
    EXPECT_EQ(broker.wait_exit(), "exit 0");
    EXPECT_TRUE(std::filesystem::is_regular_file(path));
    std::filesystem::remove(path);
  }
}

TEST_F(UnixPath, ASignalThatASharedSocketRaisesEndsNobody) {
  for (const char* workers : {"1", "0"}) {
    BrokerSetup begin = setup();
    begin.arguments = {"--workers", workers};
    BrokerProcess broker(begin);
    ASSERT_TRUE(eventually([&] { return greets(unix_at(path)); }));
    broker.signal(SIGIO);
    EXPECT_TRUE(greets(unix_at(path)));
    broker.signal(SIGTERM);
    EXPECT_EQ(broker.wait_exit(), "exit 0");
  }
}

TEST_F(UnixPath, OfASingleProcessIsMadeAgainAndGoesWithIt) {
  BrokerSetup alone = setup();
  alone.arguments = {"--workers", "0"};
  BrokerProcess broker(alone);
  ASSERT_TRUE(greets(unix_at(path)));
  std::filesystem::remove(path);
  broker.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return greets(unix_at(path)); }));
  EXPECT_EQ(mode_of(path), 0640U);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  EXPECT_FALSE(exists(path));
}

TEST(AddressInUse, ByASingleProcessIsNotByWorkersWhoseBrokerDied) {
  BrokerSetup alone;
  alone.arguments = {"--workers", "0"};
  const BrokerProcess first(alone);
  const Outcome second =
      run("mpbroker", {"--listen", "127.0.0.1:" + std::to_string(first.port()), "--workers", "1"});
  EXPECT_EQ(second.exit, "exit 1");
  EXPECT_NE(second.err.find("mpworker (pid "), std::string::npos) << second.err;
  EXPECT_EQ(second.err.find("died"), std::string::npos) << second.err;
}

TEST(AbstractName, IsServedAndShown) {
  const std::string name = "@mpb-listen-" + std::to_string(::getpid());
  const std::string control = name + "-control";
  const TempFolder folder;
  ProgramStart start;
  start.program = program_path("mpbroker");
  start.arguments = {"--listen", "unix:" + name, "--control-socket", control, "--workers", "1"};
  start.errors = folder.file("log");
  ChildProcess broker(start);
  ASSERT_TRUE(eventually([&] { return greets(unix_at(name)); }));
  const Outcome status = run("mpctl", {"--control-socket", control, "status"});
  EXPECT_EQ(status.exit, "exit 0") << status.err;
  EXPECT_NE(status.out.find("unix:" + name), std::string::npos) << status.out;
  EXPECT_EQ(run("mpctl", {"--control-socket", control, "stop"}).exit, "exit 0");
  EXPECT_EQ(broker.wait_exit(20s), "exit 0");
}

TEST(HostName, IsListenedOnAtAllItsAddresses) {
  const std::uint16_t port = free_port();
  for (const char* workers : {"2", "0"}) {
    BrokerSetup setup;
    setup.port = port;
    setup.arguments = {"--listen", "localhost:" + std::to_string(port), "--workers", workers};
    const BrokerProcess broker(setup);
    std::set<std::string> addresses;
    std::istringstream log(broker.log());
    for (std::string line; std::getline(log, line);) {
      const auto at = line.find("address=");
      if (line.find("listening") != std::string::npos && at != std::string::npos) {
        addresses.insert(line.substr(at + 8, line.find(' ', at) - at - 8));
      }
    }
    ASSERT_FALSE(addresses.empty()) << broker.log();
    for (const std::string& address : addresses) {
      const auto endpoint = parse_endpoint(address);
      ASSERT_TRUE(endpoint) << address;
      EXPECT_TRUE(greets(*endpoint)) << address;
    }
    if (*workers == '2') {
      EXPECT_TRUE(reload(broker));
      EXPECT_EQ(broker.status().listeners, addresses.size());
    }
  }
}

TEST(HostName, ThatIsNoneEndsTheStart) {
  const std::string name = "name.invalid:1";  // RFC 6761, section 6.4
  for (const char* workers : {"1", "0"}) {
    const Outcome outcome = run("mpbroker", {"--listen", name, "--workers", workers});
    EXPECT_EQ(outcome.exit, "exit 1");
    EXPECT_NE(outcome.err.find("cannot be resolved"), std::string::npos) << outcome.err;
  }
}

TEST(AddressInUse, ByAnOrphanedWorkerSaysSo) {
  BrokerProcess broker({"--workers", "1"});
  const pid_t worker = broker.worker_pid(0);
  Client client(broker.port());
  ASSERT_EQ(client.claim(1), kHello);
  ASSERT_EQ(::kill(worker, SIGSTOP), 0);  // so that it does not see its broker's end
  broker.signal(SIGKILL);
  ASSERT_EQ(broker.wait_exit(), "signal 9");
  const Outcome next = run("mpbroker", {"--listen", "127.0.0.1:" + std::to_string(broker.port())});
  EXPECT_EQ(next.exit, "exit 1");
  ::kill(worker, SIGCONT);
  const std::string pid = std::to_string(worker);
  for (const std::string& part : {"mpworker: 0 (pid " + pid + ")", "kill " + pid}) {
    EXPECT_NE(next.err.find(part), std::string::npos) << part << " in " << next.err;
  }
}

TEST(ControlSocketPath, ThatCannotBeNamesTheOption) {
  const std::string listen = "127.0.0.1:" + std::to_string(free_port());
  const Outcome outcome =
      run("mpbroker", {"--listen", listen, "--control-socket", "/nonexistent/control"});
  EXPECT_EQ(outcome.exit, "exit 1");
  for (const char* part : {"control-socket = /nonexistent/control", "help="}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace mpb::test
