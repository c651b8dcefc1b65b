// Workers as users of their own, in groups of their own, and a broker that cannot be looked into.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kFirst = 60600;
constexpr uid_t kNobody = 65534;

/// The programs where every user may execute them.
class Programs {
 public:
  Programs() {
    fs::permissions(folder_.path(), fs::perms(0755));
    for (const char* name : {"mpbroker", "mpworker"}) {
      fs::copy_file(program_path(name), folder_.file(name));
      fs::permissions(folder_.file(name), fs::perms(0755));
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.file(name); }

 private:
  TempFolder folder_;
};

void become(uid_t user) {
  if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(99);
}

/// What a process of this user makes of it, as an exit code from 0 to 98.
template <class Body>
int as_user(uid_t user, Body&& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(user);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

uid_t user_of(pid_t pid) {
  // The owner of the folder is root where a process cannot be looked into.
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("\nUid:");
  return at == std::string::npos ? ~uid_t{0}
                                 : static_cast<uid_t>(std::stoul(status.substr(at + 5)));
}

/// Whether a process's memory, descriptors or files can be had: a bit for each.
int ways_into(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  int ways = 0;
  if (::open((folder + "/mem").c_str(), O_RDONLY | O_CLOEXEC) >= 0) ways |= 1;
  if (::open((folder + "/environ").c_str(), O_RDONLY | O_CLOEXEC) >= 0) ways |= 2;
  if (::access((folder + "/fd/0").c_str(), F_OK) == 0) ways |= 4;
  const long pidfd = ::syscall(SYS_pidfd_open, pid, 0);
  if (pidfd >= 0 && ::syscall(SYS_pidfd_getfd, pidfd, 0, 0) >= 0) ways |= 8;
  return ways;
}

class WorkerUsers : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can start processes as other users";
  }
  [[nodiscard]] BrokerSetup setup(const std::string& user) const {
    BrokerSetup setup;
    setup.arguments = {"--worker-program", programs.path("mpworker"), "--user", user};
    return setup;
  }

  /// Kills worker 0; the one that a zygote has forked in its place.
  static pid_t forked_anew(const BrokerProcess& broker) {
    const pid_t first = broker.worker_pid(0);
    ::kill(first, SIGKILL);
    EXPECT_TRUE(eventually([&] {
      const WorkerStatus worker = broker.worker(0);
      return worker.state == "online" && worker.pid != first;
    }));
    EXPECT_EQ(broker.status().zygote.forked, 1);
    return broker.worker_pid(0);
  }

  Programs programs;
};

TEST_F(WorkerUsers, EachOfARangeIsItsOwnAndHasNoWayToTheOthers) {
  BrokerSetup wanted = setup("60600..60603");
  wanted.arguments.insert(wanted.arguments.end(), {"--workers", "2", "--max-workers", "4"});
  BrokerProcess broker(wanted);
  const pid_t first = broker.worker_pid(0);
  const pid_t second = broker.worker_pid(1);
  EXPECT_EQ(user_of(first), kFirst);
  EXPECT_EQ(user_of(second), kFirst + 1);
  const int harm = as_user(kFirst, [&] {
    int done = 0;
    if (::kill(second, 0) == 0 || ::kill(broker.pid(), 0) == 0) done |= 16;
    rlimit limit{};
    if (::prlimit(second, RLIMIT_CORE, nullptr, &limit) == 0) done |= 32;
    if (::prlimit(broker.pid(), RLIMIT_CORE, nullptr, &limit) == 0) done |= 32;
    return done | ways_into(second) | ways_into(broker.pid());
  });
  EXPECT_EQ(harm, 0);
  for (int id = 0; id < 8; ++id) {  // handed over between them, too
    Client client(broker.port());
    EXPECT_EQ(client.claim(id), kHello);
  }
  ::kill(first, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    const WorkerStatus worker = broker.worker(0);
    return worker.state == "online" && worker.pid != first;
  }));
  EXPECT_EQ(user_of(broker.worker_pid(0)), kFirst) << "a slot keeps its user";
  EXPECT_EQ(broker.status().zygote.state, "off") << "it would take one for each user";
}

TEST_F(WorkerUsers, AForkedWorkerRunsAsTheUserOfAll) {
  BrokerSetup wanted = setup("nobody");
  wanted.arguments.insert(wanted.arguments.end(), {"--workers", "1", "--spawn", "zygote"});
  const BrokerProcess broker(wanted);
  EXPECT_EQ(user_of(broker.status().zygote.pid), kNobody);
  EXPECT_EQ(user_of(forked_anew(broker)), kNobody);
}

TEST_F(WorkerUsers, MoreWorkersThanUsersAreRefused) {
  BrokerSetup wanted = setup("60600..60602");
  wanted.arguments.insert(wanted.arguments.end(), {"--workers", "2"});
  const BrokerProcess broker(wanted);
  const auto four = broker.request({{"command", "workers"}, {"count", 4}});
  EXPECT_FALSE(four.at("ok").as_bool());
  EXPECT_EQ(broker.status().workers.size(), 2U) << "and nothing has changed";
  const auto three = broker.request({{"command", "workers"}, {"count", 3}});
  EXPECT_TRUE(three.at("ok").as_bool());
  EXPECT_TRUE(broker.await_workers(3));
  EXPECT_EQ(user_of(broker.worker_pid(2)), kFirst + 2);
}

TEST_F(WorkerUsers, AUnixListenerAndARangeGoTogether) {
  const TempFolder folder;
  BrokerSetup wanted = setup("60600..60601");
  const std::string path = folder.file("clients");
  wanted.config =
      "workers = 2\n[listener a]\nlisten = 127.0.0.1:PORT\n[listener b]\nlisten = unix:" + path +
      "\nmode = 0600\n";
  const BrokerProcess broker(wanted);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  const ControlLink client(path);  // any stream: the worker's hello comes to a claim
  EXPECT_EQ(::send(client.fd(), "W", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 1);
}

TEST_F(WorkerUsers, OfOneUserTheBrokerCannotBeLookedInto) {
  ProgramStart start;
  const TempFolder folder;
  fs::permissions(folder.path(), fs::perms(0777));
  start.program = programs.path("mpbroker");
  start.arguments = {"--listen", "127.0.0.1:0",      "--workers",
                     "2",        "--control-socket", folder.file("control.sock")};
  start.errors = folder.file("log");
  start.before_exec = [] { become(kFirst); };
  ChildProcess broker(start);
  ASSERT_TRUE(eventually([&] {
    const std::string log = read_file(start.errors);
    const auto online = log.find("event=online");
    return online != std::string::npos && log.find("event=online", online + 1) != std::string::npos;
  })) << read_file(start.errors);
  EXPECT_EQ(user_of(broker.pid()), kFirst);
  EXPECT_EQ(as_user(kFirst, [&] { return ways_into(broker.pid()); }), 0);
  EXPECT_EQ(children_of(broker.pid()).size(), 2U);
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(kPatience), "exit 0");
}

/// A control group that is this test's to give away.
class Delegated {
 public:
  Delegated() {
    std::ifstream mounts("/proc/self/mountinfo");
    std::string root;
    for (std::string line; std::getline(mounts, line);) {
      if (line.find(" - cgroup2 ") == std::string::npos) continue;
      std::istringstream fields(line);
      std::string skipped;
      fields >> skipped >> skipped >> skipped >> skipped >> root;
    }
    if (root.empty()) return;
    path_ = root + "/mpb-test-" + std::to_string(::getpid());
    const bool made = ::mkdir(path_.c_str(), 0755) == 0;
    const bool good = made && ::setxattr(path_.c_str(), "user.delegate", "1", 1, 0) == 0 &&
                      ::access((path_ + "/cgroup.kill").c_str(), F_OK) == 0;
    if (made && !good) ::rmdir(path_.c_str());
    if (!good) path_.clear();
  }
  Delegated(const Delegated&) = delete;
  Delegated& operator=(const Delegated&) = delete;
  ~Delegated() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::size_t groups() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path_)) count += entry.is_directory() ? 1 : 0;
    return count;
  }

 private:
  std::string path_;
};

TEST_F(WorkerUsers, WhereGroupsMayBeMadeEachProcessHasOneThatGoesWithIt) {
  const Delegated delegated;
  if (delegated.path().empty()) GTEST_SKIP() << "no control groups of version 2 to give away";
  BrokerSetup wanted = setup("60600..60601");
  wanted.before_exec = [&] { std::ofstream(delegated.path() + "/cgroup.procs") << 0; };
  {
    BrokerProcess broker(wanted);
    const pid_t first = broker.worker_pid(0);
    const auto group_of = [](pid_t pid) {
      return read_file("/proc/" + std::to_string(pid) + "/cgroup");
    };
    EXPECT_NE(group_of(first).find("/mpbroker." + std::to_string(broker.pid()) + ".0."),
              std::string::npos)
        << group_of(first);
    EXPECT_NE(group_of(first), group_of(broker.worker_pid(1)));
    EXPECT_EQ(delegated.groups(), 2U);
    ::kill(first, SIGKILL);
    EXPECT_TRUE(eventually([&] {
      const WorkerStatus worker = broker.worker(0);
      return worker.state == "online" && worker.pid != first;
    }));
    EXPECT_TRUE(eventually([&] { return delegated.groups() == 2U; }));
  }
  EXPECT_TRUE(eventually([&] { return delegated.groups() == 0U; }));
}

TEST_F(WorkerUsers, AForkedWorkerHasAGroupToo) {
  const Delegated delegated;
  if (delegated.path().empty()) GTEST_SKIP() << "no control groups of version 2 to give away";
  BrokerSetup wanted = setup("nobody");
  wanted.arguments.insert(wanted.arguments.end(), {"--workers", "1", "--spawn", "zygote"});
  wanted.before_exec = [&] { std::ofstream(delegated.path() + "/cgroup.procs") << 0; };
  {
    const BrokerProcess broker(wanted);
    const std::string group = read_file("/proc/" + std::to_string(forked_anew(broker)) + "/cgroup");
    EXPECT_NE(group.find("/mpbroker." + std::to_string(broker.pid()) + ".0."), std::string::npos)
        << group;
    EXPECT_TRUE(eventually([&] { return delegated.groups() == 1U; }));
  }
  EXPECT_TRUE(eventually([&] { return delegated.groups() == 0U; }));
}

// Whoever ran before mpbroker in its process may have left children.
TEST(StrangersOfTheBroker, AreLeftAloneWhileWhatWorkersLeaveEnds) {
  const TempFolder folder;
  const std::string worker = folder.write(
      "worker",
      "#!/bin/sh\nmkdir " + folder.file("once") + " 2> /dev/null && (sleep 1000 & echo $! > " +
          folder.file("left") + ")\nexec " + program_path("mpworker") + "\n",
      0755);
  BrokerSetup setup;
  setup.arguments = {"--workers", "1", "--worker-program", worker};
  setup.before_exec = [&] {
    const pid_t child = ::fork();
    if (child != 0) return;
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      while (true) ::pause();
    }
    std::ofstream(folder.file("strangers")) << ::getpid() << ' ' << grandchild;
    while (true) ::pause();
  };
  BrokerProcess broker(setup);
  broker.forget_rest();
  const auto number_in = [&](const std::string& name) {
    return static_cast<pid_t>(std::atoi(read_file(folder.file(name)).c_str()));
  };
  ASSERT_TRUE(eventually([&] { return number_in("left") > 0 && number_in("strangers") > 0; }));
  const pid_t left = number_in("left");
  pid_t stranger = 0;
  pid_t orphan = 0;
  std::ifstream(folder.file("strangers")) >> stranger >> orphan;
  EXPECT_TRUE(is_running(left)) << "its worker lives";
  ::kill(stranger, SIGKILL);  // its child comes to the broker
  ::kill(broker.worker_pid(0), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !is_running(left); }));
  EXPECT_TRUE(throughout(1'200ms, [&] { return is_running(orphan); }));
  ::kill(orphan, SIGKILL);
}

}  // namespace
}  // namespace mpb::test
