// mpbroker under systemd, as far as systemd can be told from a test (sd_notify(3),
// sd_listen_fds(3)).
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

/// $NOTIFY_SOCKET and what arrives there.
class ServiceManager {
 public:
  ServiceManager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const Endpoint endpoint = parse_endpoint("unix:" + path()).value();
    if (::bind(socket_.get(), endpoint.data(), endpoint.length) != 0) {
      throw std::runtime_error(system_error("bind").text);
    }
  }
  [[nodiscard]] std::string path() const { return folder_.file("notify.sock"); }
  /// Waits for a datagram with this line; all datagrams are kept.
  bool is_told(const std::string& line) {
    return eventually([&] { return was_told(line); });
  }
  bool was_told(const std::string& line) {
    std::array<char, 4096> buffer{};
    ssize_t size = 0;
    while ((size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0)) > 0) {
      told_ += std::string(buffer.data(), static_cast<std::size_t>(size)) + '\n';
    }
    return ('\n' + told_).find('\n' + line) != std::string::npos;
  }
  void forget() { told_.clear(); }
  [[nodiscard]] const std::string& told() const { return told_; }

 private:
  TempFolder folder_;
  UniqueFd socket_;
  std::string told_;
};

TEST(ServiceManagerTest, IsToldReadyReloadingAndStopping) {
  ServiceManager manager;
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  BrokerProcess broker(setup);
  EXPECT_TRUE(manager.is_told("READY=1")) << manager.told();
  EXPECT_TRUE(manager.is_told("STATUS="));
  manager.forget();
  broker.signal(SIGHUP);
  EXPECT_TRUE(manager.is_told("RELOADING=1")) << manager.told();
  EXPECT_TRUE(manager.is_told("READY=1")) << manager.told();
  broker.signal(SIGTERM);
  EXPECT_TRUE(manager.is_told("STOPPING=1")) << manager.told();
  EXPECT_EQ(broker.wait_exit(), "exit 0");
}

TEST(ServiceManagerTest, ReadyMeansThatClientsAreServed) {
  ServiceManager manager;
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  setup.await_ready = false;
  const BrokerProcess broker(setup);
  ASSERT_TRUE(manager.is_told("READY=1"));
  EXPECT_EQ(broker.status().count("online"), 2U);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

TEST(ServiceManagerTest, AReloadBeforeTheWorkersAreOnlineIsNotReady) {
  ServiceManager manager;
  const TempFolder folder;
  const std::string gate = folder.file("open");
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  setup.arguments = {"--worker-program",
                     folder.write("worker",
                                  "#!/bin/sh\nwhile ! [ -e " + gate + " ]; do sleep 0.02; done\n" +
                                      "exec " + program_path("mpworker") + "\n",
                                  0755)};
  setup.await_ready = false;
  const BrokerProcess broker(setup);
  const auto reloads = [&] {
    const std::string log = broker.log();
    return log.find("event=reload ok=true") != std::string::npos;
  };
  ASSERT_TRUE(
      eventually([&] { return broker.log().find("event=fork slot=1") != std::string::npos; }));
  broker.signal(SIGHUP);
  ASSERT_TRUE(eventually(reloads));
  EXPECT_TRUE(throughout(100ms, [&] { return !manager.was_told("READY=1"); })) << manager.told();
  EXPECT_FALSE(manager.was_told("RELOADING=1")) << manager.told();
  folder.write("open", "");
  EXPECT_TRUE(manager.is_told("READY=1"));
  EXPECT_EQ(broker.status().count("online"), 2U);
}

TEST(ServiceManagerTest, IsToldNothingOfAFileThatCannotBeRead) {
  ServiceManager manager;
  BrokerSetup setup;
  const std::string base = "[listener main]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n";
  setup.config = base;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  const BrokerProcess broker(setup);
  ASSERT_TRUE(manager.is_told("READY=1")) << manager.told();
  manager.forget();
  for (const char* lines : {"publish-key = My&S3cret\n", "publsh-key = S3cret\nS3cret==\n",
                            "latency = S3cret\n", "[publish-key = S3cret]\n"}) {
    broker.write_config(base + "[vhost a.test]\n" + lines);
    broker.signal(SIGHUP);
    ASSERT_TRUE(manager.is_told("STATUS=Reload failed, nothing was changed: ")) << manager.told();
    EXPECT_EQ(manager.told().find("S3cret"), std::string::npos) << manager.told();
    manager.forget();
  }
}

TEST(ServiceManagerTest, IsToldWhatCameOfAReloadOfASingleProcess) {
  ServiceManager manager;
  BrokerSetup setup;
  const std::string base = "[listener main]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n";
  setup.config = base;
  setup.arguments = {"--workers", "0"};
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  setup.await_ready = false;
  const BrokerProcess alone(setup);
  ASSERT_TRUE(manager.is_told("READY=1")) << manager.told();
  alone.write_config(base + "publsh-key = S3cret\n");
  alone.signal(SIGHUP);
  ASSERT_TRUE(manager.is_told("STATUS=Reload failed, nothing was changed: 1 problem"))
      << manager.told();
  EXPECT_EQ(manager.told().find("S3cret"), std::string::npos) << manager.told();
  alone.write_config(base);
  alone.signal(SIGHUP);
  EXPECT_TRUE(manager.is_told("STATUS=Reloaded")) << manager.told();
}

TEST(ServiceManagerTest, TheWatchdogIsFedWhileTheBrokerLives) {
  ServiceManager manager;
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path(), "WATCHDOG_USEC=200000"};
  const BrokerProcess broker(setup);
  for (int i = 0; i < 3; ++i) {
    manager.forget();
    EXPECT_TRUE(manager.is_told("WATCHDOG=1"));
  }
}

TEST(ServiceManagerTest, IsToldHowManyWorkersAreOnline) {
  ServiceManager manager;
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path()};
  const BrokerProcess broker(setup);
  ASSERT_TRUE(manager.is_told("STATUS=2 workers online")) << manager.told();
  manager.forget();
  ::kill(broker.processes().back(), SIGKILL);
  EXPECT_TRUE(manager.is_told("STATUS=1 workers online")) << manager.told();
  EXPECT_TRUE(manager.is_told("STATUS=2 workers online")) << manager.told();
}

TEST(ServiceManagerTest, IsToldThatNobodyServesAndTheWatchdogIsNotFed) {
  ServiceManager manager;
  const TempFolder folder;
  const std::string program = folder.file("worker");
  std::filesystem::copy_file(program_path("mpworker"), program);
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=" + manager.path(), "WATCHDOG_USEC=100000"};
  setup.arguments = {"--worker-program", program};
  const BrokerProcess broker(setup);
  ASSERT_TRUE(manager.is_told("WATCHDOG=1"));
  std::filesystem::rename(program, program + ".new");
  for (const pid_t worker : broker.processes()) ::kill(worker, SIGKILL);
  ASSERT_TRUE(manager.is_told("STATUS=The service is down: worker ")) << manager.told();
  EXPECT_NE(manager.told().find("exec failed: No such file"), std::string::npos) << manager.told();
  manager.was_told("");  // what was sent before
  manager.forget();
  EXPECT_TRUE(throughout(500ms, [&] { return !manager.was_told("WATCHDOG=1"); }));
  std::filesystem::rename(program + ".new", program);
  EXPECT_TRUE(manager.is_told("STATUS=2 workers online")) << manager.told();
  EXPECT_TRUE(manager.is_told("WATCHDOG=1"));
}

TEST(ServiceManagerTest, SocketsItHasOpenedAreServed) {
  for (const bool by_name : {false, true}) {
    BrokerSetup setup;
    setup.port = free_port();
    const UniqueFd socket = listen_on(loopback(*setup.port), 64).value();
    setup.inherited = {socket.get()};
    // The name of the socket tells the listener; else its address does.
    if (by_name) setup.environment = {"LISTEN_FDNAMES=default"};
    const BrokerProcess broker(setup);
    Client client(broker.port());
    EXPECT_EQ(client.claim(1), kHello);
  }
}

TEST(ServiceManagerTest, ClientsThatCameBeforeTheStartAreServed) {
  BrokerSetup setup;
  setup.port = free_port();
  const UniqueFd socket = listen_on(loopback(*setup.port), 64).value();
  setup.inherited = {socket.get()};
  Client early(*setup.port);
  early.send(claim_bytes(1));
  BrokerProcess broker(setup);
  broker.forget_rest();  // it never was without a client
  EXPECT_EQ(early.read_text(), kHello);
}

TEST(ServiceManagerTest, WithoutOneNothingIsExpected) {
  BrokerSetup setup;
  setup.environment = {"NOTIFY_SOCKET=/nonexistent/notify"};
  BrokerProcess broker(setup);
  Client client(broker.port());
  EXPECT_EQ(client.claim(1), kHello);
}

}  // namespace
}  // namespace mpb::test
