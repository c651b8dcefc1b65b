// Cells with settings of their own: user, descriptors, memory; and what they are to be told of.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/child_process.hpp"
#include "tests/integration/harness/line_client.hpp"
#include "tests/integration/harness/processes.hpp"
#include "tests/integration/harness/timing.hpp"

namespace mpb::test {
namespace {

namespace fs = std::filesystem;

/// "Uid:\t1\t1\t1\t1" as kernel says it of a process: all four, so that there is no way back.
std::string ids_of(pid_t pid, const std::string& name) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("\n" + name + ":");
  return at == std::string::npos ? "" : status.substr(at + 1, status.find('\n', at + 1) - at - 1);
}

std::string all_four(const std::string& name, uid_t id) {
  const std::string number = "\t" + std::to_string(id);
  return name + ":" + number + number + number + number;
}

/// "soft hard" of RLIMIT_NOFILE.
std::string nofile_of(pid_t pid) {
  const std::string limits = read_file("/proc/" + std::to_string(pid) + "/limits");
  const auto at = limits.find("Max open files");
  std::istringstream numbers(limits.substr(at + 14));
  std::string soft, hard;
  numbers >> soft >> hard;
  return soft + " " + hard;
}

std::string config_of(const std::string& head, const std::string& listener,
                      const std::string& sections) {
  return "workers = 1\nmax-workers = 6\nkey-linger = 50ms\n" + head +
         "[listener one]\nlisten = 127.0.0.1:PORT\nisolate = key\n" + listener + sections;
}

class CellSettingsTest : public testing::TestWithParam<const char*> {
 protected:
  CellSettingsTest() { fs::permissions(folder.path(), fs::perms(0755)); }

  /// A program where every user may execute it.
  std::string program(const std::string& name) const {
    const std::string path = folder.file(name);
    if (fs::exists(path)) return path;
    fs::copy_file(program_path(name), path);
    fs::permissions(path, fs::perms(0755));
    return path;
  }
  std::string spawn() const { return std::string("spawn = ") + GetParam() + "\n"; }

  TempFolder folder;
};

INSTANTIATE_TEST_SUITE_P(Spawn, CellSettingsTest, testing::Values("zygote", "exec"));

class CellUsers : public CellSettingsTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can start processes as other users";
    const passwd* daemon_entry = ::getpwnam("daemon");
    if (daemon_entry == nullptr) GTEST_SKIP() << "there is no user daemon";
    daemon_id = daemon_entry->pw_uid;
    const passwd* nobody_entry = ::getpwnam("nobody");
    if (nobody_entry == nullptr) GTEST_SKIP() << "there is no user nobody";
    nobody_id = nobody_entry->pw_uid;
  }
  uid_t daemon_id = 0;
  uid_t nobody_id = 0;
};

INSTANTIATE_TEST_SUITE_P(Spawn, CellUsers, testing::Values("zygote", "exec"));

TEST_P(CellUsers, AKeysProcessRunsAsItsUserForGood) {
  BrokerSetup setup;
  setup.config =
      config_of(spawn() + "spare-workers = 1\nworker-program = " + program("mpworker") + "\n", "",
                "[key 1]\nuser = daemon\n[key 2*]\nuser = nobody\n");
  const BrokerProcess broker(setup);
  ASSERT_TRUE(broker.await_workers(2));
  Client one(broker.port());
  Client two(broker.port());
  Client other(broker.port());
  const pid_t first = one.join(1).pid;
  EXPECT_EQ(ids_of(first, "Uid"), all_four("Uid", daemon_id));
  EXPECT_EQ(ids_of(two.join(27).pid, "Uid"), all_four("Uid", nobody_id));
  EXPECT_EQ(ids_of(other.join(3).pid, "Uid"), all_four("Uid", 0));
  const WorkerStatus cell = [&] {
    for (const WorkerStatus& worker : broker.status().of_role("cell")) {
      if (worker.key == "1") return worker;
    }
    return WorkerStatus{};
  }();
  EXPECT_EQ(cell.user, "daemon");
  const std::string table = run("mpctl", {"--control-socket", broker.control_path(), "status"}).out;
  EXPECT_NE(table.find("USER"), std::string::npos) << table;
  EXPECT_NE(table.find("daemon"), std::string::npos) << table;
  const std::string_view confined = slow_factor() > 1 ? "0" : "1";  // not with a sanitizer
  EXPECT_EQ(ids_of(first, "NoNewPrivs"), "NoNewPrivs:\t" + std::string(confined));
  EXPECT_EQ(ids_of(first, "CapPrm"), "CapPrm:\t0000000000000000");
  EXPECT_EQ(ids_of(first, "Seccomp"), ids_of(broker.worker_pid(0), "Seccomp")) << "as tight";
  Client again(broker.port());
  EXPECT_EQ(again.join(1).pid, first);
}

TEST_P(CellUsers, ATenantCannotReadAnothersFiles) {
  if (std::string(GetParam()) == "zygote") GTEST_SKIP() << "programs in Python have none";
  const std::string python = folder.file("python");
  fs::create_directory(python);
  fs::copy_file(MPB_SOURCE_DIR "/python/mpbroker.py", python + "/mpbroker.py");
  fs::copy_file(MPB_SOURCE_DIR "/tests/integration/tenant_worker.py",
                folder.file("tenant_worker.py"));
  fs::permissions(folder.file("tenant_worker.py"), fs::perms(0755));
  const std::string a = folder.write("a", "of a", 0600);
  const std::string b = folder.write("b", "of b", 0600);
  ASSERT_EQ(::chown(a.c_str(), daemon_id, 0), 0);
  ASSERT_EQ(::chown(b.c_str(), nobody_id, 0), 0);
  BrokerSetup setup;
  setup.config =
      config_of(spawn() + "worker-program = " + folder.file("tenant_worker.py") +
                    "\nworker-environment = TENANT_PYTHON=" + python + "\n",
                "protocol = lines\n",
                "[key a]\nuser = daemon\ngroup = nogroup\nnofile = 300\n[key b]\nuser = nobody\n"
                "[key c]\nmemory-max = 128MiB\n");
  const BrokerProcess broker(setup);
  LineClient of_a(broker.port(), "a");
  LineClient of_b(broker.port(), "b");
  const auto ask = [](LineClient& client, const std::string& line) {
    client.say(line);
    return client.hear();
  };
  EXPECT_EQ(ask(of_a, "read " + a), "of a");
  EXPECT_EQ(ask(of_a, "read " + b), "Permission denied");
  EXPECT_EQ(ask(of_b, "read " + b), "of b");
  EXPECT_EQ(ask(of_b, "read " + a), "Permission denied");
  EXPECT_EQ(ask(of_a, "return"), "Operation not permitted");
  EXPECT_EQ(ask(of_a, "nofile"), "300 300");
  const std::string who = ask(of_a, "who");
  EXPECT_TRUE(who.starts_with(std::to_string(daemon_id) + " ")) << who;
  EXPECT_EQ(who.find(" 0"), std::string::npos) << "no group of root's: " << who;
  LineClient of_c(broker.port(), "c");
  const std::string end = ask(of_c, "eat");
  EXPECT_TRUE(end == kEof || end == kReset) << end;
  EXPECT_EQ(ask(of_a, "who"), who) << "it ended alone";
}

TEST_P(CellUsers, AReloadCountsForTheKeysNextProcess) {
  const auto config = [&](const std::string& user) {
    return config_of(spawn() + "worker-program = " + program("mpworker") + "\n", "",
                     "[key *]\nuser = " + user + "\n");
  };
  BrokerSetup setup;
  setup.config = config("daemon");
  const BrokerProcess broker(setup);
  const auto reload = [&](const std::string& user) {
    std::string text = config(user);
    text.replace(text.find("PORT"), 4, std::to_string(broker.port()));
    broker.write_config(text);
    return broker.request({{"command", "reload"}});
  };
  Client client(broker.port());
  const pid_t before = client.join(1).pid;
  ASSERT_TRUE(reload("nobody").at("ok").as_bool());
  Client same(broker.port());
  EXPECT_EQ(same.join(1).pid, before);
  EXPECT_EQ(ids_of(before, "Uid"), all_four("Uid", daemon_id));
  Client other(broker.port());
  EXPECT_EQ(ids_of(other.join(3).pid, "Uid"), all_four("Uid", nobody_id));
  client.close();
  same.close();
  ASSERT_TRUE(eventually([&] { return !is_running(before); }));
  Client after(broker.port());
  EXPECT_EQ(ids_of(after.join(1).pid, "Uid"), all_four("Uid", nobody_id));
  const auto refused = reload("nobody-has-this-name");
  EXPECT_FALSE(refused.at("ok").as_bool());
  EXPECT_NE(refused.at("error").as_string().find("no such"), std::string_view::npos) << refused;
}

TEST_P(CellUsers, WhereNoProcessMayRunAKeyWithAUserIsRefusedAndNotShared) {
  BrokerSetup setup;
  setup.config = "workers = 1\nmax-workers = 2\nkey-linger = 50ms\n" + spawn() +
                 "worker-program = " + program("mpworker") +
                 "\n[listener one]\nlisten = 127.0.0.1:PORT\nisolate = key\n[key 1]\nuser = "
                 "daemon\n";
  const BrokerProcess broker(setup);
  {
    Client taken(broker.port());
    ASSERT_EQ(taken.claim(2), kHello);
    EXPECT_EQ(Client(broker.port()).claim(3), kHello) << "shared";
    EXPECT_EQ(Client(broker.port()).claim(1), kBusy);
  }
  EXPECT_TRUE(eventually([&] { return Client(broker.port()).claim(1) == kHello; }));
}

TEST_P(CellUsers, ASpareProcessMakesWay) {
  BrokerSetup setup;
  setup.config = "workers = 1\nmax-workers = 2\nspare-workers = 1\nkey-linger = 50ms\n" + spawn() +
                 "worker-program = " + program("mpworker") +
                 "\n[listener one]\nlisten = 127.0.0.1:PORT\nisolate = key\n[key 1]\nuser = "
                 "daemon\n";
  const BrokerProcess broker(setup);
  ASSERT_TRUE(broker.await_workers(2));
  {
    Client client(broker.port());
    EXPECT_EQ(ids_of(client.join(1).pid, "Uid"), all_four("Uid", daemon_id));
  }
  EXPECT_TRUE(eventually([&] { return broker.status().of_role("spare").size() == 1; }));
}

TEST_P(CellSettingsTest, AKeysProcessHasItsDescriptors) {
  BrokerSetup setup;
  setup.config = config_of(spawn(), "", "[key 1]\nnofile = 300\n");
  const BrokerProcess broker(setup);
  Client client(broker.port());
  Client other(broker.port());
  EXPECT_EQ(nofile_of(client.join(1).pid), "300 300");
  EXPECT_EQ(nofile_of(other.join(2).pid), nofile_of(broker.worker_pid(0)));
  EXPECT_EQ(broker.status().of_role("cell").size(), 2U);
}

TEST_P(CellSettingsTest, OneThatNeedsMoreMemoryThanItMayHaveEndsAlone) {
  if (slow_factor() > 1) GTEST_SKIP() << "a sanitizer needs all addresses";
  BrokerSetup setup;
  setup.config = config_of(spawn() + "worker-program = " + program_path("fragile_worker") + "\n",
                           "", "[key 14]\nmemory-max = 64MiB\n");
  const BrokerProcess broker(setup);
  Client other(broker.port());
  const pid_t pid = other.join(1).pid;
  Client free(broker.port());
  EXPECT_EQ(free.claim(15), kHello) << "it may have as much as it needs";
  Client eater(broker.port());
  const std::string end = eater.claim(14);
  EXPECT_TRUE(end == kEof || end == kReset) << end;
  EXPECT_EQ(other.who().pid, pid);
  EXPECT_EQ(free.message(), kHello);
  EXPECT_EQ(broker.status().state, "running");
  const std::string log = broker.log();
  const bool by_group = log.find("missing=\"control groups") == std::string::npos;
  EXPECT_TRUE(by_group || log.find("RLIMIT_DATA") != std::string::npos) << log;
}

TEST(CellSettingsErrors, AnUnknownUserIsToldAtTheStart) {
  const TempFolder folder;
  const std::string path = folder.write(
      "mp.ini",
      "max-workers = 9\n[listener l]\nlisten = 127.0.0.1:0\nisolate = key\n[key 7]\nuser = "
      "nobody-has-this-name\n");
  for (const bool check : {true, false}) {
    std::vector<std::string> arguments{"--config", path};
    if (check) arguments.emplace_back("--check-config");
    const Outcome outcome = run("mpbroker", arguments);
    EXPECT_EQ(outcome.exit, "exit 2");
    EXPECT_NE(outcome.err.find("mp.ini:6: [key 7] user = nobody-has-this-name: expected"),
              std::string::npos)
        << outcome.err;
  }
}

TEST(CellSettingsErrors, WithoutRightsAUserIsAnErrorAtTheStart) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can start mpbroker as another user";
  const TempFolder folder;
  fs::permissions(folder.path(), fs::perms(0777));
  for (const char* name : {"mpbroker", "mpworker"}) {
    fs::copy_file(program_path(name), folder.file(name));
    fs::permissions(folder.file(name), fs::perms(0755));
  }
  ProgramStart start;
  start.program = folder.file("mpbroker");
  start.arguments = {"--config",
                     folder.write("mp.ini",
                                  "max-workers = 9\n[listener l]\nlisten = 127.0.0.1:0\nisolate = "
                                  "key\n[key 7]\nuser = daemon\n")};
  start.errors = folder.file("log");
  start.before_exec = [] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
  };
  ChildProcess broker(start);
  EXPECT_EQ(broker.wait_exit(kPatience), "exit 2");
  EXPECT_NE(read_file(start.errors).find("[key 7] user or group: only root"), std::string::npos)
      << read_file(start.errors);
}

}  // namespace
}  // namespace mpb::test
