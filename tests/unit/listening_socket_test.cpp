// What others do to a listening socket that they share, and what becomes of unix paths.
#include "common/listening_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/listen_error.hpp"
#include "common/listener_sockets.hpp"

namespace mpb {
namespace {

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
  ASSERT_TRUE(socket.renew());
  EXPECT_TRUE(socket.address() == before);
  EXPECT_TRUE(serves(socket));
  EXPECT_FALSE(socket.keep_up().spoilt);
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
  ASSERT_TRUE(socket.renew());
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
  ASSERT_TRUE(first->renew());
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
  ASSERT_TRUE(socket->renew());
  EXPECT_TRUE(exists());
  EXPECT_FALSE(socket->keep_up().spoilt);
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
  int let_go = 0;
  const auto run = [&] { return upkeep.run(socket, "test", Clock::now(), [&] { ++let_go; }); };
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

}  // namespace
}  // namespace mpb
