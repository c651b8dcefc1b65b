#include "broker/workers/kinship.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "common/io/channel.hpp"
#include "common/io/endpoint.hpp"
#include "common/process/child.hpp"
#include "common/process/descent.hpp"

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

// --- where /proc does not show everything
// ---------------------------------------------------------

constexpr uid_t kUser = 65534;
constexpr int kNotPermitted = 77;

/// As execve(2) does: whoever changes its user is hidden from that user, too.
bool become_user() {
  return ::setresuid(kUser, kUser, kUser) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

/// A process of kUser that was started by a process of this one's user, and stays.
pid_t start_of_user() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe(ends.data()) != 0) ::_exit(1);
  if (::fork() == 0) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (!become_user()) ::_exit(1);
      const pid_t own = ::getpid();
      if (::write(ends[1], &own, sizeof own) != sizeof own) ::_exit(1);
    }
    while (true) ::pause();
  }
  pid_t pid = 0;
  if (::read(ends[0], &pid, sizeof pid) != sizeof pid) ::_exit(1);
  return pid;
}

/// What `look` returns as kUser with another /proc, given a process of kUser that a hidden one has
/// started. All it starts ends with it.
int with_proc(const char* type, const char* options, const std::function<int(pid_t)>& look) {
  const pid_t process = ::fork();
  if (process == 0) {
    // As process 1 of a namespace, below which nobody stays.
    if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0) ::_exit(kNotPermitted);
    const pid_t first = ::fork();
    if (first != 0) {
      int status = 0;
      ::waitpid(first, &status, 0);
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("proc", "/proc", type, 0, options) != 0) {
      ::_exit(kNotPermitted);
    }
    const pid_t other = start_of_user();
    const pid_t broker = ::fork();
    if (broker == 0) ::_exit(become_user() ? look(other) : 1);
    int status = 0;
    ::waitpid(broker, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/// 0: workers are told from others.
int tells_workers(pid_t other) {
  const Kinship kinship;
  if (kinship.of(other) != Kin::kStranger) return 2;
  std::array<int, 2> ends{-1, -1};
  if (::pipe(ends.data()) != 0) return 1;
  const pid_t worker = ::fork();
  if (worker == 0) {
    begin_descent();
    const pid_t started = ::fork();
    if (started != 0 && ::write(ends[1], &started, sizeof started) != sizeof started) ::_exit(1);
    while (true) ::pause();
  }
  pid_t started = 0;
  if (::read(ends[0], &started, sizeof started) != sizeof started) return 1;
  if (kinship.of(worker) != Kin::kWorker) return 3;
  return kinship.of(started) == Kin::kWorker ? 0 : 4;
}

TEST(KinshipByLittle, OfProcessesWhoseParentsAreHidden) {
  const int found = with_proc("proc", "hidepid=2", tells_workers);
  if (found == kNotPermitted) GTEST_SKIP() << "not permitted to mount";
  EXPECT_EQ(found, 0);
}

TEST(KinshipByLittle, WithoutProc) {
  const int found = with_proc("tmpfs", nullptr, tells_workers);
  if (found == kNotPermitted) GTEST_SKIP() << "not permitted to mount";
  EXPECT_EQ(found, 0);
}

}  // namespace
}  // namespace mpb
