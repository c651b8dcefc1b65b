#include "broker/kinship.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "common/channel.hpp"
#include "common/child.hpp"
#include "common/descent.hpp"
#include "common/endpoint.hpp"

namespace mpb {
namespace {

class Kinships : public testing::Test {
 protected:
  /// A worker: a shell that starts others, as `script` says.
  std::unique_ptr<Child> start(const std::string& script) {
    auto pair = make_channel_pair();
    ChildOptions options;
    options.program = "/bin/sh";
    options.arguments = {"-c", script};
    options.environment = {"PATH=/usr/bin:/bin"};
    options.begins_descent = true;
    return Child::spawn(loop, options, pair->second, [](ExitStatus) {}).value();
  }

  EventLoop loop;
  Kinship kinship;
};

pid_t ended_process() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

TEST_F(Kinships, OfWorkersAndOthers) {
  const auto worker = start("while :; do sleep 1; done");
  pid_t found = 0;
  EXPECT_EQ(kinship.of(worker->pid(), &found), Kin::kWorker);
  EXPECT_EQ(found, worker->pid());
  EXPECT_EQ(kinship.of(::getpid()), Kin::kStranger);
  EXPECT_EQ(kinship.of(::getppid()), Kin::kStranger);
  EXPECT_EQ(kinship.of(1), Kin::kStranger);
  EXPECT_EQ(kinship.of(0), Kin::kStranger) << "outside of this pid namespace";
  EXPECT_EQ(kinship.of(ended_process()), Kin::kUnknown);
  EXPECT_FALSE(kinship.is_orphan(worker->pid())) << "nobody's remains";
}

/// The peer of a connection that was made by a process which has then done as `body` says.
template <class Body>
UniqueFd connected_by(Body&& body) {
  const Endpoint name = parse_endpoint("unix:@mpb-kinship-" + std::to_string(::getpid())).value();
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(listener.get(), name.data(), name.length), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  body([&] {
    static UniqueFd client;
    client.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(client.get(), name.data(), name.length) == 0;
  });
  return UniqueFd(::accept(listener.get(), nullptr, nullptr));
}

TEST_F(Kinships, OfPeers) {
  const UniqueFd own = connected_by([](auto&& connect) { ASSERT_TRUE(connect()); });
  EXPECT_EQ(kinship.of_peer(own.get()), Kin::kStranger);
  kinship.set_accounts([](uid_t user) { return user == ::geteuid(); });
  EXPECT_EQ(kinship.of_peer(own.get()), Kin::kWorker) << "an account that only workers have";
  kinship.set_accounts({});
  pid_t child = 0;
  const UniqueFd others = connected_by([&](auto&& connect) {
    child = ::fork();
    if (child != 0) return;
    begin_descent();
    connect();
    while (true) ::pause();
  });
  EXPECT_EQ(kinship.of_peer(others.get()), Kin::kWorker);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(kinship.of_peer(others.get()), Kin::kUnknown) << "it has ended";
}

}  // namespace
}  // namespace mpb
