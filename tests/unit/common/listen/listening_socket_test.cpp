// What others do to a listening socket that they share, and what becomes of unix paths.
#include "common/listen/listening_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "common/io/foreign_descriptor.hpp"
#include "common/io/socket_options.hpp"
#include "common/listen/listen_error.hpp"
#include "common/listen/listener_sockets.hpp"

namespace mpb {
namespace {

using namespace std::chrono_literals;

UniqueFd connect_to(const Endpoint& endpoint) {
  UniqueFd client(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), endpoint.data(), endpoint.length) != 0) client.reset();
  return client;
}

UniqueFd accept_from(const ListeningSocket& socket) {
  pollfd ready{socket.descriptor(), POLLIN, 0};
  ::poll(&ready, 1, 5'000);
  return UniqueFd(::accept4(socket.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/// From a queue in which the client is by now.
UniqueFd accept_now(int queue) {
  return UniqueFd(::accept4(queue, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

constexpr auto kAtAnyPrice = ListeningSocket::Renewal::kAtAnyPrice;

/// A client connects, is accepted, and its byte arrives.
bool serves(const ListeningSocket& socket) {
  const UniqueFd client = connect_to(socket.address());
  if (!client) return false;
  const UniqueFd accepted = accept_from(socket);
  char byte = 'x';
  if (!accepted || ::send(client.get(), &byte, 1, MSG_NOSIGNAL) != 1) return false;
  pollfd ready{accepted.get(), POLLIN, 0};
  ::poll(&ready, 1, 5'000);
  return ::recv(accepted.get(), &byte, 1, 0) == 1;
}

int option_of(int socket, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(socket, level, option, &value, &size);
  return value;
}

void set_option(int socket, int level, int option, int value) {
  ASSERT_EQ(::setsockopt(socket, level, option, &value, sizeof value), 0) << option;
}

void drop_all_that_arrives(int socket) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

class SharedTcp : public ::testing::Test {
 protected:
  ListeningSocket socket =
      *ListeningSocket::open(parse_endpoint("127.0.0.1:0").value(), SocketSetup{});
  int fd() const { return socket.descriptor(); }
  /// As one that was told which port to take.
  void keep_its_port() {
    const Endpoint address = socket.address();
    socket.close();
    socket = *ListeningSocket::open(address, SocketSetup{});
  }
};

TEST_F(SharedTcp, IsLeftAloneWhileNobodyTouchesIt) {
  const auto upkeep = socket.keep_up();
  EXPECT_EQ(upkeep.changed, "");
  EXPECT_FALSE(upkeep.spoilt);
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, FlagsArePutBack) {
  ASSERT_EQ(::fcntl(fd(), F_SETFL, ::fcntl(fd(), F_GETFL) & ~O_NONBLOCK), 0);
  EXPECT_EQ(socket.keep_up().changed, "O_NONBLOCK");
  EXPECT_TRUE(::fcntl(fd(), F_GETFL) & O_NONBLOCK);
}

TEST_F(SharedTcp, OptionsThatClientsInheritArePutBack) {
  const linger wait{1, 30};
  ASSERT_EQ(::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait), 0);
  const timeval moment{0, 1000};
  ASSERT_EQ(::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment), 0);
  set_option(fd(), SOL_SOCKET, SO_RCVLOWAT, 5000);
  set_option(fd(), SOL_SOCKET, SO_RCVBUF, 1);
  set_option(fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, 100);
  set_option(fd(), IPPROTO_IP, IP_MINTTL, 255);
  const auto upkeep = socket.keep_up();
  EXPECT_FALSE(upkeep.spoilt) << upkeep.changed;
  for (const char* name :
       {"SO_LINGER", "SO_RCVTIMEO", "SO_RCVLOWAT", "SO_RCVBUF", "TCP_DEFER_ACCEPT", "IP_MINTTL"}) {
    EXPECT_NE(upkeep.changed.find(name), std::string::npos) << name << " in " << upkeep.changed;
  }
  EXPECT_EQ(option_of(fd(), SOL_SOCKET, SO_RCVLOWAT), 1);
  EXPECT_EQ(option_of(fd(), IPPROTO_IP, IP_MINTTL), 0);
  EXPECT_EQ(socket.keep_up().changed, "");
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, AFilterIsTakenOff) {
  drop_all_that_arrives(fd());
  EXPECT_EQ(socket.keep_up().changed, "SO_ATTACH_FILTER");
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, WhatCannotBeUndoneTakesAnotherSocket) {
  drop_all_that_arrives(fd());
  set_option(fd(), SOL_SOCKET, SO_LOCK_FILTER, 1);
  const UniqueFd held_elsewhere(::fcntl(fd(), F_DUPFD_CLOEXEC, 3));
  ASSERT_TRUE(socket.keep_up().spoilt);
  const Endpoint before = socket.address();
  ASSERT_TRUE(socket.renew(kAtAnyPrice));
  EXPECT_TRUE(socket.address() == before);
  EXPECT_TRUE(serves(socket));
  EXPECT_FALSE(socket.keep_up().spoilt);
}

TEST_F(SharedTcp, AKeyWithoutWhichNobodyIsHeardIsNoticed) {
  tcp_md5sig key{};
  key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  key.tcpm_addr.ss_family = AF_INET;
  key.tcpm_keylen = 1;
  if (::setsockopt(fd(), IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key) != 0) {
    GTEST_SKIP() << "this kernel knows no TCP_MD5SIG_EXT";
  }
  const auto upkeep = socket.keep_up();
  EXPECT_EQ(upkeep.changed, "SO_MEMINFO");
  ASSERT_TRUE(upkeep.spoilt) << "nobody can take the key away who does not know its address";
  ASSERT_TRUE(socket.renew(kAtAnyPrice));
  EXPECT_EQ(socket.keep_up().changed, "");
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, WhatFillsTheErrorQueueOfClientsIsPutBack) {
  set_option(fd(), SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE);
  set_option(fd(), SOL_SOCKET, SO_ZEROCOPY, 1);
  set_option(fd(), IPPROTO_IP, IP_RECVERR, 1);
  EXPECT_EQ(socket.keep_up().changed, "SO_TIMESTAMPING,SO_ZEROCOPY,IP_RECVERR");
  EXPECT_EQ(socket.keep_up().changed, "");
}

/// Clients connect while and after the socket is made anew, again and again.
void expect_nobody_lost(ListeningSocket& socket) {
  const Endpoint address = socket.address();
  constexpr int kEach = 20;
  for (int round = 0; round < 3; ++round) {
    std::vector<UniqueFd> clients;
    for (int i = 0; i < kEach; ++i) clients.push_back(connect_to(address));
    auto old = socket.renew(ListeningSocket::Renewal::kGentle);
    ASSERT_TRUE(old) << old.error().text;
    ASSERT_TRUE(old->valid());
    EXPECT_TRUE(socket.address() == address);
    for (int i = 0; i < kEach; ++i) clients.push_back(connect_to(address));
    for (const UniqueFd& client : clients) EXPECT_TRUE(client);
    for (const int queue : {old->get(), socket.descriptor()}) {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(accept_now(queue)) << round << ": " << i;
      EXPECT_FALSE(accept_now(queue));
    }
    EXPECT_EQ(socket.keep_up().changed, "");
    old->reset();
    EXPECT_TRUE(serves(socket));
  }
}

TEST_F(SharedTcp, MadeAnewNobodyIsRefusedAndThoseWhoWaitStay) {
  expect_nobody_lost(socket);
}

TEST_F(SharedTcp, MadeAnewItIsAsItWasAndAnotherServerIsRefused) {
  const UniqueFd held_elsewhere(::fcntl(fd(), F_DUPFD_CLOEXEC, 3));
  SocketSetup setup;
  setup.keepalive.idle = std::chrono::seconds(77);
  socket.set_up(setup);
  const auto old = socket.renew(ListeningSocket::Renewal::kGentle);
  ASSERT_TRUE(old);
  const UniqueFd client = connect_to(socket.address());
  const UniqueFd accepted = accept_from(socket);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(ListeningSocket::open(socket.address(), setup).error().code, EADDRINUSE);
}

TEST(SharedTcp6, MadeAnewNobodyIsRefusedAndThoseWhoWaitStay) {
  auto socket = ListeningSocket::open(parse_endpoint("[::1]:0").value(), SocketSetup{});
  if (!socket) GTEST_SKIP() << "no IPv6: " << socket.error().text;
  expect_nobody_lost(*socket);
}

TEST(SharedTcpAnywhere, MadeAnewNobodyIsRefusedAndThoseWhoWaitStay) {
  auto socket = ListeningSocket::open(parse_endpoint("0.0.0.0:0").value(), SocketSetup{}).value();
  expect_nobody_lost(socket);
}

TEST_F(SharedTcp, ShutDownItListensAgainAndClientsCanSend) {
  keep_its_port();
  for (int times = 1; times <= 2; ++times) {
    // The second time marks the socket so that clients would inherit it.
    for (int i = 0; i < times; ++i) ::shutdown(fd(), SHUT_RDWR);
    const auto upkeep = socket.keep_up();
    EXPECT_EQ(upkeep.changed, "shutdown");
    EXPECT_FALSE(upkeep.spoilt);
    EXPECT_TRUE(serves(socket)) << times;
  }
}

TEST_F(SharedTcp, ShutDownOnAPortThatTheKernelChoseItIsMadeAnew) {
  const Endpoint before = socket.address();
  ::shutdown(fd(), SHUT_RDWR);
  ASSERT_TRUE(socket.keep_up().spoilt);
  ASSERT_TRUE(socket.renew(kAtAnyPrice));
  EXPECT_TRUE(socket.address() == before);
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, ConnectedElsewhereItListensAgain) {
  keep_its_port();
  const UniqueFd other = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
  const Endpoint target = local_endpoint(other.get()).value();
  ::shutdown(fd(), SHUT_RDWR);
  ASSERT_EQ(::fcntl(fd(), F_SETFL, 0), 0);
  ASSERT_EQ(::connect(fd(), target.data(), target.length), 0);
  EXPECT_FALSE(socket.keep_up().spoilt);
  EXPECT_TRUE(serves(socket));
}

TEST_F(SharedTcp, ClientsAreProbedAsTheListenerSays) {
  const UniqueFd client = connect_to(socket.address());
  const UniqueFd accepted = accept_from(socket);
  EXPECT_EQ(option_of(accepted.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_KEEPIDLE), 60);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_KEEPINTVL), 15);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 120'000);
  EXPECT_EQ(option_of(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST_F(SharedTcp, KeepAliveChangesWithTheSetup) {
  SocketSetup setup;
  setup.unread_ends = false;
  socket.set_up(setup);
  EXPECT_EQ(option_of(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  setup.keepalive.on = false;
  socket.set_up(setup);
  EXPECT_EQ(option_of(fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(socket.keep_up().changed, "");
}

TEST(AdoptedSocket, IsMadeToListenAndIsSetUpAsOneOfOurOwn) {
  UniqueFd bound(::socket(AF_INET, SOCK_STREAM, 0));
  const Endpoint any = parse_endpoint("127.0.0.1:0").value();
  ASSERT_EQ(::bind(bound.get(), any.data(), any.length), 0);
  const auto socket = ListeningSocket::adopt(std::move(bound), SocketSetup{});
  ASSERT_TRUE(socket) << socket.error().text;
  EXPECT_TRUE(::fcntl(socket->descriptor(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(socket->descriptor(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(option_of(socket->descriptor(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_TRUE(serves(*socket));
}

TEST(AddressInUse, NamesWhoHasIt) {
  const auto socket = ListeningSocket::open(parse_endpoint("127.0.0.1:0").value(), SocketSetup{});
  ASSERT_TRUE(socket);
  const std::string port = std::to_string(socket->address().port());
  for (const std::string& address : {"127.0.0.1:" + port, "0.0.0.0:" + port}) {
    const auto again = ListeningSocket::open(parse_endpoint(address).value(), SocketSetup{});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, EADDRINUSE);
    EXPECT_NE(again.error().text.find("Address already in use by "), std::string::npos)
        << again.error().text;
    EXPECT_NE(again.error().text.find("pid " + std::to_string(::getpid())), std::string::npos)
        << again.error().text;
    EXPECT_NE(again.error().help.find("the address itself"), std::string::npos);
  }
}

TEST(AddressNotOfThisMachine, SaysWhatToDo) {
  const auto socket =
      ListeningSocket::open(parse_endpoint("192.0.2.1:1990").value(), SocketSetup{});
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().help.find("ip address"), std::string::npos) << socket.error().help;
}

TEST(LowPort, SaysWhichPrivilegeIsMissing) {
  int first = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first;
  if (first <= 80) GTEST_SKIP() << "port 80 needs no privilege here";
  errno = EACCES;
  const Error error = system_error("cannot listen on 0.0.0.0:80");
  const Error explained = explain_listen_error(parse_endpoint(":80").value(), error);
  for (const char* part :
       {"CAP_NET_BIND_SERVICE", "AmbientCapabilities", "net.ipv4.ip_unprivileged_port_start"}) {
    EXPECT_NE(explained.help.find(part), std::string::npos) << explained.help;
  }
  EXPECT_EQ(explain_listen_error(parse_endpoint(":65535").value(), error).help, "");
}

class UnixSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mpb-listen-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = (folder / "s").string();
    endpoint = parse_endpoint("unix:" + path).value();
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<ListeningSocket> open() const {
    auto socket = ListeningSocket::open(endpoint, SocketSetup{});
    EXPECT_TRUE(socket) << socket.error().text;
    return std::make_unique<ListeningSocket>(std::move(*socket));
  }
  bool exists() const { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

  std::filesystem::path folder;
  std::string path;
  Endpoint endpoint;
};

TEST_F(UnixSocket, ItsPathGoesWithIt) {
  {
    const auto socket = open();
    EXPECT_TRUE(serves(*socket));
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(exists());
}

TEST_F(UnixSocket, ItLeavesWhatTookItsPlace) {
  auto first = open();
  std::filesystem::remove(path);
  EXPECT_EQ(first->path_state(), OwnedPath::State::kGone);
  const auto second = open();
  EXPECT_EQ(first->path_state(), OwnedPath::State::kReplaced);
  EXPECT_TRUE(accept_from(*second)) << "a connection asks whether it lives";
  first.reset();
  EXPECT_TRUE(serves(*second));
}

TEST_F(UnixSocket, WhatADeadServerLeftInItsPlaceDoesNotTakeIt) {
  const auto first = open();
  std::filesystem::remove(path);
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.get(), endpoint.data(), endpoint.length), 0);
  }
  EXPECT_EQ(first->path_state(), OwnedPath::State::kGone);
  ASSERT_TRUE(first->renew(kAtAnyPrice));
  EXPECT_TRUE(serves(*first));
}

TEST_F(UnixSocket, AServerThatLivesOrAFileIsLeftAloneAndNamed) {
  const auto first = open();
  const auto second = ListeningSocket::open(endpoint, SocketSetup{});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text.find("pid " + std::to_string(::getpid())), std::string::npos)
      << second.error().text;
  const std::string file = (folder / "f").string();
  { const UniqueFd made(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }
  const auto third = ListeningSocket::open(parse_endpoint("unix:" + file).value(), SocketSetup{});
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().text.find("no socket"), std::string::npos) << third.error().text;
}

TEST_F(UnixSocket, ShutDownItIsMadeAnew) {
  const auto socket = open();
  const UniqueFd held_elsewhere(::fcntl(socket->descriptor(), F_DUPFD_CLOEXEC, 3));
  ASSERT_FALSE(socket->keep_up().spoilt);
  ::shutdown(socket->descriptor(), SHUT_RD);
  ASSERT_TRUE(socket->keep_up().spoilt);
  ASSERT_TRUE(socket->renew(kAtAnyPrice));
  EXPECT_TRUE(exists());
  EXPECT_FALSE(socket->keep_up().spoilt);
  EXPECT_TRUE(serves(*socket));
}

TEST_F(UnixSocket, MadeAnewNobodyIsRefusedAndThoseWhoWaitStay) {
  auto socket = open();
  expect_nobody_lost(*socket);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  socket.reset();
  EXPECT_FALSE(exists());
}

TEST_F(UnixSocket, WhatTookItsPlaceIsNotReplaced) {
  auto first = open();
  std::filesystem::remove(path);
  const auto second = open();
  EXPECT_FALSE(first->renew(ListeningSocket::Renewal::kGentle));
  first.reset();
  EXPECT_TRUE(serves(*second));
}

TEST_F(UnixSocket, APathThatWasTakenAwayIsThereAgain) {
  const auto socket = open();
  std::filesystem::remove(path);
  ASSERT_TRUE(socket->renew(ListeningSocket::Renewal::kGentle));
  EXPECT_TRUE(serves(*socket));
}

TEST_F(UnixSocket, AnAdoptedOnesPathIsNotItsOwn) {
  {
    const auto socket = ListeningSocket::adopt(std::move(*listen_on(endpoint, 16)), SocketSetup{});
    ASSERT_TRUE(socket);
    EXPECT_TRUE(serves(*socket));
  }
  EXPECT_TRUE(exists());
}

TEST_F(UnixSocket, AnAbstractNameIsNoFile) {
  const std::string text = "unix:@mpb-test-" + std::to_string(::getpid());
  const Endpoint name = parse_endpoint(text).value();
  EXPECT_EQ(name.to_string(), text);
  const auto socket = ListeningSocket::open(name, SocketSetup{});
  ASSERT_TRUE(socket) << socket.error().text;
  EXPECT_EQ(socket->address().to_string(), text);
  EXPECT_FALSE(std::filesystem::exists(text.substr(5)));
  EXPECT_EQ(socket->path_state(), OwnedPath::State::kOurs);
  EXPECT_TRUE(serves(*socket));
  const auto again = ListeningSocket::open(name, SocketSetup{});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().text.find("pid " + std::to_string(::getpid())), std::string::npos)
      << again.error().text;
}

TEST(Upkeep, TellsWhenTheSocketIsAnotherOne) {
  auto socket = ListeningSocket::open(parse_endpoint("127.0.0.1:0").value(), SocketSetup{}).value();
  ListenerUpkeep upkeep;
  ListenerReport report;
  int let_go = 0;
  const auto run = [&] {
    return upkeep.run(socket, "test", Clock::now(), report, [&] { ++let_go; });
  };
  EXPECT_FALSE(run());
  set_option(socket.descriptor(), SOL_SOCKET, SO_RCVLOWAT, 7);
  EXPECT_FALSE(run()) << "put right in place";
  EXPECT_EQ(let_go, 0);
  drop_all_that_arrives(socket.descriptor());
  set_option(socket.descriptor(), SOL_SOCKET, SO_LOCK_FILTER, 1);
  EXPECT_TRUE(run());
  EXPECT_EQ(let_go, 1);
  EXPECT_TRUE(serves(socket));
}

class Distrust : public SharedTcp {
 protected:
  bool run(std::chrono::milliseconds later) {
    return upkeep.run(socket, "test", start + later, report);
  }
  ListenerUpkeep upkeep;
  ListenerReport report;
  TimePoint start = Clock::now();
};

TEST_F(Distrust, MakesTheSocketAnewAndKeepsTheOldOneUntilNobodyWaitsThere) {
  keep_its_port();
  const UniqueFd client = connect_to(socket.address());
  const int before = fd();
  upkeep.distrust();
  EXPECT_TRUE(run(0ms));
  EXPECT_EQ(upkeep.rest(), before);
  EXPECT_NE(fd(), before);
  EXPECT_FALSE(run(2'900ms));
  EXPECT_FALSE(run(5'800ms)) << "the client still waits";
  EXPECT_TRUE(accept_now(upkeep.rest()));
  const UniqueFd held_elsewhere(::fcntl(upkeep.rest(), F_DUPFD_CLOEXEC, 3));
  EXPECT_FALSE(run(8'700ms));
  EXPECT_TRUE(run(8'800ms));
  EXPECT_EQ(upkeep.rest(), -1);
  EXPECT_FALSE(revive_listener(held_elsewhere.get(), 16)) << "there is another one";
  EXPECT_TRUE(serves(socket));
}

TEST_F(Distrust, NobodyWaitsForEverInASocketThatWasReplaced) {
  const UniqueFd client = connect_to(socket.address());
  upkeep.distrust();
  EXPECT_TRUE(run(0ms));
  for (int second = 1; second < 60; ++second) EXPECT_FALSE(run(std::chrono::seconds(second)));
  EXPECT_TRUE(run(60s));
}

TEST_F(Distrust, AgainAndAgainItDoesSoOnlyEveryFewSeconds) {
  int renewed = 0;
  for (int tenth = 0; tenth < 300; ++tenth) {
    upkeep.distrust();
    const int before = fd();
    run(std::chrono::milliseconds(100 * tenth));
    renewed += fd() != before ? 1 : 0;
  }
  EXPECT_GE(renewed, 4);
  EXPECT_LE(renewed, 6);
}

TEST_F(Distrust, ASocketOfTheServiceManagerStays) {
  socket = *ListeningSocket::adopt(*listen_on(parse_endpoint("127.0.0.1:0").value(), 16), {});
  const int before = fd();
  upkeep.distrust();
  EXPECT_FALSE(run(0ms));
  EXPECT_EQ(fd(), before);
  EXPECT_TRUE(serves(socket));
}

TEST(ErrorQueue, IsClearedAndStaysSo) {
  auto socket = ListeningSocket::open(parse_endpoint("127.0.0.1:0").value(), SocketSetup{}).value();
  const UniqueFd client = connect_to(socket.address());
  const UniqueFd accepted = accept_from(socket);
  set_option(accepted.get(), SOL_SOCKET, SO_TIMESTAMPING,
             SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE);
  const auto has_error = [&](int wait) {
    pollfd poll{accepted.get(), 0, 0};
    return ::poll(&poll, 1, wait) == 1 && (poll.revents & POLLERR) != 0;
  };
  ASSERT_EQ(::send(accepted.get(), "x", 1, 0), 1);
  if (!has_error(5'000)) GTEST_SKIP() << "this kernel tells nothing there";
  while (has_error(100)) clear_error_queue(accepted.get());
  ASSERT_EQ(::send(accepted.get(), "y", 1, 0), 1);
  char bytes[2];
  EXPECT_EQ(::recv(client.get(), bytes, 2, MSG_WAITALL), 2);
  EXPECT_FALSE(has_error(0));
}

TEST(StreamClient, IsAConnectionAndNothingElse) {
  const UniqueFd listening = *listen_on(parse_endpoint("127.0.0.1:0").value(), 1);
  const Endpoint address = local_endpoint(listening.get()).value();
  EXPECT_NE(stream_kind(connect_to(address).get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(listening.get()), StreamKind::kOther);
  const auto make = [](int family, int type, int protocol) {
    return UniqueFd(::socket(family, type | SOCK_CLOEXEC, protocol));
  };
  EXPECT_NE(stream_kind(make(AF_UNIX, SOCK_STREAM, 0).get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(make(AF_UNIX, SOCK_SEQPACKET, 0).get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(make(AF_INET, SOCK_DGRAM, 0).get()), StreamKind::kOther);
  EXPECT_EQ(stream_kind(-1), StreamKind::kOther);
  if (const UniqueFd other = make(AF_INET, SOCK_STREAM, IPPROTO_SCTP)) {
    EXPECT_EQ(stream_kind(other.get()), StreamKind::kOther);
  }
}

}  // namespace
}  // namespace mpb
