// Sockets that a service manager passes: each is used, or refused by name.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return (std::ostringstream() << file.rdbuf()).str();
}

/// How a broker ends that is passed this descriptor, and what it says.
Outcome start_with(int descriptor, const std::vector<std::string>& arguments) {
  const TempFolder folder;
  ProgramStart start;
  start.program = program_path("mpbroker");
  start.arguments = {"--listen", "127.0.0.1:" + std::to_string(free_port())};
  start.arguments.insert(start.arguments.end(), arguments.begin(), arguments.end());
  start.environment = {"LISTEN_FDNAMES=passed"};
  start.errors = folder.file("log");
  start.inherited = {descriptor};
  ChildProcess child(start);
  Outcome outcome;
  outcome.exit = child.wait_exit(20s);
  outcome.err = text_of(start.errors);
  return outcome;
}

UniqueFd bound(int family, int type, const Endpoint& endpoint) {
  UniqueFd socket(::socket(family, type | SOCK_CLOEXEC, 0));
  if (::bind(socket.get(), endpoint.data(), endpoint.length) != 0) {
    throw std::runtime_error(system_error("bind").text);
  }
  return socket;
}

UniqueFd dual_stack(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int off = 0;
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const Endpoint endpoint = parse_endpoint("[::]:" + std::to_string(port)).value();
  const bool listens = ::bind(socket.get(), endpoint.data(), endpoint.length) == 0 &&
                       ::listen(socket.get(), 64) == 0;
  if (!listens) socket.reset();
  return socket;
}

TEST(Activation, WhatIsNoListenerEndsTheStartAndIsNamed) {
  const TempFolder folder;
  const UniqueFd listener = *listen_on(loopback(0), 4);
  const Client client(local_endpoint(listener.get()).value());
  const UniqueFd connected(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const UniqueFd udp = bound(AF_INET, SOCK_DGRAM, loopback(0));
  const UniqueFd packets =
      bound(AF_UNIX, SOCK_SEQPACKET, parse_endpoint("unix:" + folder.file("p")).value());
  const UniqueFd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::mkfifo(folder.file("f").c_str(), 0600), 0);
  const UniqueFd fifo(::open(folder.file("f").c_str(), O_RDWR | O_CLOEXEC));
  const struct {
    int descriptor;
    const char* kind;
  } kCases[] = {{connected.get(), "a connected TCP socket"},
                {udp.get(), "a UDP socket"},
                {packets.get(), "sequential packets"},
                {unbound.get(), "a socket without an address"},
                {fifo.get(), "a FIFO"}};
  for (const auto& wrong : kCases) {
    for (const char* workers : {"1", "0"}) {
      const Outcome outcome = start_with(wrong.descriptor, {"--workers", workers});
      EXPECT_EQ(outcome.exit, "exit 2") << wrong.kind << outcome.err;
      for (const char* part : {wrong.kind, "descriptor 3", "'passed'", "help="}) {
        EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " in " << outcome.err;
      }
    }
  }
}

TEST(Activation, WhatNobodyWantsIsToldOfAndClosed) {
  BrokerSetup setup;
  setup.port = free_port();
  const std::uint16_t other = free_port();
  UniqueFd wanted = *listen_on(loopback(*setup.port), 16);
  UniqueFd unwanted = *listen_on(loopback(other), 16);
  setup.inherited = {unwanted.get(), wanted.get()};
  const BrokerProcess broker(setup);
  wanted.reset();
  unwanted.reset();
  EXPECT_EQ(Client(broker.port()).claim(1), kHello);
  EXPECT_TRUE(is_refused(other));
  const std::string log = broker.log();
  EXPECT_NE(log.find("socket.unclaimed"), std::string::npos) << log;
  EXPECT_NE(log.find("127.0.0.1:" + std::to_string(other)), std::string::npos) << log;
}

TEST(Activation, ASocketForBothFamiliesServesEveryIpv4Address) {
  for (const char* workers : {"2", "0"}) {
    BrokerSetup setup;
    setup.port = free_port();
    const std::string port = std::to_string(*setup.port);
    const UniqueFd socket = dual_stack(*setup.port);
    if (!socket) GTEST_SKIP() << "a machine without IPv6";
    setup.inherited = {socket.get()};
    setup.arguments = {"--listen", ":" + port, "--workers", workers};
    const BrokerProcess broker(setup);
    EXPECT_EQ(Client(*setup.port).claim(1), kHello);
    EXPECT_EQ(Client(parse_endpoint("[::1]:" + port).value()).claim(2), kHello);
    EXPECT_NE(broker.log().find("[::]:" + port), std::string::npos) << broker.log();
  }
}

TEST(Activation, AListenerHasAllSocketsOfItsName) {
  BrokerSetup setup;
  setup.port = free_port();
  const std::array<std::uint16_t, 2> ports{*setup.port, free_port()};
  const UniqueFd first = *listen_on(loopback(ports[0]), 16);
  const UniqueFd second = *listen_on(loopback(ports[1]), 16);
  setup.inherited = {first.get(), second.get()};
  setup.environment = {"LISTEN_FDNAMES=default:default"};
  const BrokerProcess broker(setup);
  for (const std::uint16_t port : ports) EXPECT_EQ(Client(port).claim(1), kHello);
  ASSERT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  for (const std::uint16_t port : ports) EXPECT_EQ(Client(port).claim(2), kHello);
}

TEST(Activation, ASocketThatIsOnlyBoundIsMadeToListen) {
  BrokerSetup setup;
  setup.port = free_port();
  const UniqueFd socket = bound(AF_INET, SOCK_STREAM, loopback(*setup.port));
  setup.inherited = {socket.get()};
  const BrokerProcess broker(setup);
  EXPECT_EQ(Client(*setup.port).claim(1), kHello);
}

TEST(Activation, TheControlSocketMayBePassed) {
  const TempFolder folder;
  const std::string path = folder.file("control");
  const UniqueFd socket = *listen_on(parse_endpoint("unix:" + path).value(), 16);
  ProgramStart start;
  start.program = program_path("mpbroker");
  start.arguments = {"--listen", "127.0.0.1:0", "--control-socket", path, "--workers", "1"};
  start.inherited = {socket.get()};
  start.errors = folder.file("log");
  ChildProcess broker(start);
  const Outcome status = run("mpctl", {"--control-socket", path, "status"});
  EXPECT_EQ(status.exit, "exit 0") << status.err << text_of(start.errors);
  EXPECT_EQ(run("mpctl", {"--control-socket", path, "stop"}).exit, "exit 0");
  EXPECT_EQ(broker.wait_exit(20s), "exit 0");
  EXPECT_TRUE(std::filesystem::exists(path)) << "the path is the service manager's";
}

}  // namespace
}  // namespace mpb::test
