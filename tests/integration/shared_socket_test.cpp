// Another process shares a listening socket, here this one, and changes it: that costs a line.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <csignal>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/crowd.hpp"

namespace mpb::test {
namespace {

struct Mode {
  const char* name;
  std::vector<std::string> arguments;
};

/// A broker, or a single process, that was passed a socket which the test keeps.
class SharedSocket : public testing::TestWithParam<Mode> {
 protected:
  BrokerSetup setup() {
    BrokerSetup with_socket;
    with_socket.port = port;
    with_socket.inherited = {socket.get()};
    with_socket.arguments = GetParam().arguments;
    return with_socket;
  }
  /// Every one of several clients in a row, and so many that each worker has its turn.
  void expect_served() {
    for (int i = 0; i < 12; ++i) {
      Client client(port);
      EXPECT_EQ(client.claim(100 + i), kHello);
    }
  }

  std::uint16_t port = free_port();
  UniqueFd socket = *listen_on(loopback(port), 64);
  BrokerProcess broker{setup()};
};

TEST_P(SharedSocket, MadeBlockingHoldsNobodyUp) {
  std::vector<std::unique_ptr<Client>> old;
  for (int i = 0; i < 6; ++i) {
    old.push_back(std::make_unique<Client>(port));
    ASSERT_EQ(old.back()->claim(i), kHello);
  }
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK), 0);
    expect_served();
    for (const auto& client : old) EXPECT_EQ(client->message(), kHello);
  }
  EXPECT_TRUE(eventually([&] { return (::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0; }));
  EXPECT_NE(broker.log().find("listener.mended"), std::string::npos);
  EXPECT_EQ(broker.log().find("hung"), std::string::npos) << broker.log();
}

TEST_P(SharedSocket, ShutDownItIsServedAgain) {
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(::shutdown(socket.get(), SHUT_RDWR), 0);
    EXPECT_TRUE(eventually([&] { return !is_refused(port); }));
    expect_served();
  }
}

TEST_P(SharedSocket, WithAFilterForGoodItIsMadeAnew) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  const int on = 1;
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on), 0);
  EXPECT_TRUE(
      eventually([&] { return broker.log().find("SO_ATTACH_FILTER") != std::string::npos; }));
  expect_served();
}

INSTANTIATE_TEST_SUITE_P(Of, SharedSocket,
                         testing::Values(Mode{"Broker", {"--ping-limit", "3s"}},
                                         Mode{"SingleProcess", {"--workers", "0"}}),
                         [](const auto& mode) { return mode.param.name; });

/// The worker is stopped, clients come, and it is killed: whoever waits is served by the next one,
/// although the socket is another by then.
class KilledWorker : public testing::Test {
 protected:
  void expect_nobody_lost(BrokerProcess& broker) {
    constexpr std::size_t kClients = 200;
    const pid_t victim = broker.worker_pid(0);
    ASSERT_EQ(::kill(victim, SIGSTOP), 0);
    Crowd crowd(broker.port(), kClients);
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    EXPECT_EQ(crowd.join([](std::size_t i) { return i; }), kClients) << crowd.failures();
    EXPECT_NE(broker.worker_pid(0), victim);
  }
};

TEST_F(KilledWorker, WithAFullQueueLosesNobodyWhoWaitsThere) {
  BrokerProcess broker{{"--workers", "1"}};
  for (int i = 0; i < 3; ++i) expect_nobody_lost(broker);
  EXPECT_TRUE(
      eventually([&] { return broker.log().find("listener.renewed") != std::string::npos; }));
  EXPECT_FALSE(is_refused(broker.port()));
  expect_nobody_lost(broker);
}

TEST(SharedUnixSocket, ShutDownItIsMadeAnew) {
  const TempFolder folder;
  const Endpoint endpoint = parse_endpoint("unix:" + folder.file("s")).value();
  const UniqueFd socket = *listen_on(endpoint, 64);
  BrokerSetup setup;
  setup.inherited = {socket.get()};
  setup.arguments = {"--listen", endpoint.to_string()};
  const BrokerProcess broker(setup);
  EXPECT_EQ(Client(endpoint).claim(1), kHello);
  ASSERT_EQ(::shutdown(socket.get(), SHUT_RDWR), 0);
  EXPECT_TRUE(eventually([&] {
    try {
      return Client(endpoint).claim(2) == kHello;
    } catch (const std::runtime_error&) {
      return false;
    }
  })) << broker.log();
}

}  // namespace
}  // namespace mpb::test
