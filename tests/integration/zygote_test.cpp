// Workers that a zygote forks: they are as those that are exec'd, and a zygote that dies, hangs or
// lies costs nobody anything.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "common/process/confinement.hpp"
#include "common/process/descent.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

using Clients = std::vector<std::unique_ptr<Client>>;

bool has_zygote(const BrokerProcess& broker, const std::string& state = "ready") {
  return eventually([&] { return broker.status().zygote.state == state; });
}

/// Clients until the extra workers up to `slot` are there.
void fill(Clients& clients, const BrokerProcess& broker, int slot) {
  for (int id = static_cast<int>(clients.size()); id < 2 * (slot + 1); ++id) {
    const auto& client = clients.emplace_back(std::make_unique<Client>(broker.port()));
    ASSERT_EQ(client->join(id).worker, id / 2);
  }
}

/// Two clients fill a worker: the third has another started.
std::vector<std::string> growing(std::vector<std::string> more) {
  std::vector<std::string> arguments{"--workers",     "1", "--max-workers", "4",
                                     "--max-clients", "2", "--acceptors",   "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string line_of(const std::string& path, const std::string& name) {
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return line;
  }
  return name + " is not there";
}

/// What a process is made of, but for numbers that differ in each.
std::map<std::string, std::string> facts_of(const BrokerProcess& broker, int slot) {
  const pid_t pid = broker.worker_pid(slot);
  const std::string folder = "/proc/" + std::to_string(pid) + "/";
  std::map<std::string, std::string> facts;
  for (const char* name :
       {"SigBlk:", "SigIgn:", "SigCgt:", "CapEff:", "CapPrm:", "CapBnd:", "Uid:", "Gid:", "Groups:",
        "NoNewPrivs:", "Seccomp:", "Threads:", "Name:", "Umask:"}) {
    facts[name] = line_of(folder + "status", name);
  }
  facts["limits"] = read_file(folder + "limits");
  facts["cmdline"] = read_file(folder + "cmdline");
  facts["oom"] = read_file(folder + "oom_score_adj");
  facts["exe"] = std::filesystem::read_symlink(folder + "exe");
  facts["cwd"] = std::filesystem::read_symlink(folder + "cwd");
  for (std::string name : descriptor_names_of(pid)) {
    if (name.starts_with(broker.folder().path())) name = "log";
    std::erase_if(name, [](char c) { return c >= '0' && c <= '9'; });
    facts["descriptors"] += name + " ";
  }
  return facts;
}

TEST(ZygoteTest, ExtraWorkersAreForkedByItAndAreTheBrokersChildren) {
  const BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  Clients clients;
  fill(clients, broker, 3);
  const BrokerStatus status = broker.status();
  EXPECT_EQ(status.zygote.forked, 3);
  EXPECT_TRUE(children_of(status.zygote.pid).empty());
  const std::vector<pid_t> children = children_of(broker.pid());
  for (const int slot : {0, 1, 2, 3}) {
    const pid_t pid = status.worker(slot).pid;
    EXPECT_EQ(parent_of(pid), broker.pid());
    EXPECT_EQ(std::count(children.begin(), children.end(), pid), 1);
    EXPECT_EQ(clients[static_cast<std::size_t>(2 * slot)]->who().pid, pid);
  }
}

TEST(ZygoteTest, AForkedWorkerIsAsOneThatWasExeced) {
  const BrokerProcess forking(growing({"--spawn", "zygote"}));
  const BrokerProcess execing(growing({"--spawn", "exec"}));
  ASSERT_TRUE(has_zygote(forking));
  EXPECT_EQ(execing.status().zygote.state, "off");
  Clients forked;
  Clients execed;
  fill(forked, forking, 1);
  fill(execed, execing, 1);
  ASSERT_EQ(forking.status().zygote.forked, 1);
  ASSERT_EQ(execing.status().zygote.forked, 0);
  EXPECT_EQ(facts_of(forking, 1), facts_of(execing, 1));
  if (!can_filter_calls()) return;
  // The broker's and the worker's own, of which a forked one has inherited a part from its zygote.
  const auto filters = [](const BrokerProcess& broker) {
    return line_of("/proc/" + std::to_string(broker.worker_pid(1)) + "/status", "Seccomp_filters:");
  };
  EXPECT_EQ(filters(execing), "Seccomp_filters:\t2");
  EXPECT_EQ(filters(forking), "Seccomp_filters:\t3");
}

TEST(ZygoteTest, HowAForkedWorkerEndedIsTold) {
  const BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  Clients clients;
  fill(clients, broker, 2);
  EventStream events(broker.control_path());
  const pid_t first = broker.worker_pid(1);
  ::kill(first, SIGKILL);
  auto ended = events.await("exit", 1);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended.at("status").as_string(), "killed by SIGKILL");
  EXPECT_EQ(ended.at("pid").to_number<pid_t>(), first);
  ::kill(broker.worker_pid(2), SIGTERM);
  clients.clear();
  ended = events.await("exit", 2);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended.at("status").as_string(), "exit code 0");
  EXPECT_TRUE(eventually([&] { return zombies_of(broker.pid()).empty(); }));
}

TEST(ZygoteTest, AForkedWorkerThatHangsIsKilled) {
  const BrokerProcess broker(growing({"--ping-interval", "100ms", "--ping-limit", "2s"}));
  ASSERT_TRUE(has_zygote(broker));
  Clients clients;
  fill(clients, broker, 1);
  EventStream events(broker.control_path());
  const pid_t pid = broker.worker_pid(1);
  ::kill(pid, SIGSTOP);
  const auto ended = events.await("exit", 1);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended.at("status").as_string(), "killed by SIGKILL");
  EXPECT_FALSE(is_running(pid));
}

TEST(ZygoteTest, OneThatIsKilledLeavesItsWorkersAndIsReplaced) {
  const BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  Clients clients;
  fill(clients, broker, 1);
  const BrokerStatus before = broker.status();
  ::kill(before.zygote.pid, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto zygote = broker.status().zygote;
    return zygote.state == "ready" && zygote.pid != before.zygote.pid;
  }));
  EXPECT_EQ(clients.back()->who().pid, before.worker(1).pid);
  fill(clients, broker, 2);
  EXPECT_EQ(broker.worker_pid(1), before.worker(1).pid);
  EXPECT_EQ(broker.status().zygote.forked, 2);
}

TEST(ZygoteTest, WhileItIsAwayWorkersAreExeced) {
  const BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  const pid_t zygote = broker.status().zygote.pid;
  ::kill(zygote, SIGSTOP);
  EventStream events(broker.control_path());
  Clients clients;
  fill(clients, broker, 1);
  EXPECT_EQ(broker.status().zygote.forked, 0);
  const auto told = events.await("zygote");
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told.at("why").as_string().find("hung"), std::string_view::npos) << told;
  EXPECT_TRUE(eventually([&] { return !is_running(zygote); }));
  ASSERT_TRUE(has_zygote(broker));
  fill(clients, broker, 2);
  EXPECT_EQ(broker.status().zygote.forked, 1);
}

TEST(ZygoteTest, ItEndsWithTheService) {
  BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  const pid_t zygote = broker.status().zygote.pid;
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0");
  EXPECT_FALSE(is_running(zygote));
}

TEST(ZygoteTest, ItEndsWhenTheBrokerIsKilled) {
  BrokerProcess broker(growing({}));
  ASSERT_TRUE(has_zygote(broker));
  const pid_t zygote = broker.status().zygote.pid;
  broker.forget_rest();
  broker.signal(SIGKILL);
  EXPECT_EQ(broker.wait_exit(), "signal 9");
  EXPECT_TRUE(eventually([&] { return !is_running(zygote); }));
}

TEST(ZygoteTest, WithoutExtraWorkersThereIsNone) {
  const BrokerProcess broker({"--workers", "2"});
  EXPECT_EQ(broker.status().zygote.state, "off");
  EXPECT_EQ(broker.status().zygote.pid, 0);
}

TEST(ZygoteTest, ABaseWorkerThatCrashesIsForkedToo) {
  const BrokerProcess broker({"--workers", "2", "--spawn", "zygote"});
  ASSERT_TRUE(has_zygote(broker));
  const pid_t before = broker.worker_pid(0);
  ::kill(before, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const WorkerStatus worker = broker.worker(0);
    return worker.pid != before && worker.state == "online";
  }));
  EXPECT_EQ(broker.status().zygote.forked, 1);
  EXPECT_EQ(Client(broker.port()).claim(1), kHello);
}

TEST(ZygoteTest, AReloadRenewsIt) {
  BrokerSetup setup;
  const std::string config = "workers = 1\nmax-workers = 4\nmax-clients = 2\nacceptors = 1\n";
  const std::string listener = "[listener main]\nlisten = 127.0.0.1:PORT\n";
  setup.config = config + listener;
  const BrokerProcess broker(setup);
  ASSERT_TRUE(has_zygote(broker));
  const pid_t before = broker.status().zygote.pid;
  const auto reload = [&](const std::string& text) {
    EventStream events(broker.control_path());
    broker.write_config(text);
    broker.signal(SIGHUP);
    ASSERT_TRUE(events.await("reload").at("ok").as_bool());
  };
  reload(config + "worker-environment = HUE=blue\n" + listener);
  ASSERT_TRUE(eventually([&] {
    const auto zygote = broker.status().zygote;
    return zygote.state == "ready" && zygote.pid != before;
  }));
  EXPECT_FALSE(is_running(before));
  const auto environment =
      read_file("/proc/" + std::to_string(broker.status().zygote.pid) + "/environ");
  EXPECT_NE(environment.find("HUE=blue"), std::string::npos);
  reload(config + "spawn = exec\n" + listener);
  EXPECT_EQ(broker.status().zygote.state, "off");
  EXPECT_TRUE(eventually([&] { return broker.status().zygote.pid == 0; }));
}

/// A worker that its zygote was asked for, and a reload after which that is not there any more.
TEST(ZygoteTest, WhoWaitsForOneThatAReloadEndsIsExeced) {
  BrokerSetup setup;
  const std::string config = "workers = 1\nmax-workers = 4\nmax-clients = 2\nacceptors = 1\n";
  const std::string listener = "[listener main]\nlisten = 127.0.0.1:PORT\n";
  for (const std::string change : {"spawn = exec\n", "worker-environment = HUE=blue\n"}) {
    setup.config = config + listener;
    const BrokerProcess broker(setup);
    ASSERT_TRUE(has_zygote(broker));
    ::kill(broker.status().zygote.pid, SIGSTOP);
    Clients clients;
    fill(clients, broker, 0);
    Client third(broker.port());
    third.send(claim_bytes(9));
    ASSERT_TRUE(eventually([&] { return broker.worker(1).state == "starting"; }));
    EventStream events(broker.control_path());
    broker.write_config(config + change + listener);
    broker.signal(SIGHUP);
    ASSERT_TRUE(events.await("reload").at("ok").as_bool());
    ASSERT_TRUE(eventually([&] { return broker.worker(1).state == "online"; })) << change;
    const auto environment =
        read_file("/proc/" + std::to_string(broker.worker_pid(1)) + "/environ");
    EXPECT_EQ(environment.find("HUE=blue") != std::string::npos, change.starts_with("worker"));
    EXPECT_EQ(broker.status().zygote.forked, 0);
  }
}

/// A worker program that does `trial` when it is asked to be a zygote, and else is mpworker.
std::string program_that(const TempFolder& folder, const std::string& trial) {
  return folder.write("worker",
                      "#!/bin/sh\nif [ -n \"$MPBROKER_ZYGOTE\" ]; then\n" + trial + "\nfi\nexec " +
                          program_path("mpworker") + "\n",
                      0755);
}

TEST(ZygoteTest, AProgramThatIsNoneIsLeftAlone) {
  for (const std::string trial : {"exit 1", "unset MPBROKER_ZYGOTE", "exec sleep 1000"}) {
    const TempFolder folder;
    BrokerSetup setup;
    setup.arguments =
        growing({"--start-timeout", "3s", "--worker-program",
                 program_that(folder, "echo $$ > " + folder.file("pid") + "\n" + trial)});
    setup.await_ready = false;
    const BrokerProcess broker(setup);
    ASSERT_TRUE(eventually([&] {
      try {
        return broker.status().zygote.state == "declined";
      } catch (const std::exception&) {
        return false;
      }
    })) << trial;
    const pid_t tried = std::stoi(read_file(folder.file("pid")));
    EXPECT_FALSE(is_running(tried)) << trial;
    Clients clients;
    fill(clients, broker, 1);
    EXPECT_EQ(broker.status().zygote.forked, 0);
    EXPECT_EQ(broker.status().zygote.state, "declined") << "it is not tried again";
  }
}

/// A zygote in Python, which does as the test says. Types: 0x50 Fork, 0x51 CanFork, 0x52 Forked.
constexpr const char* kLiar = R"(
import ctypes, os, platform, signal, socket, struct, sys, time
channel = socket.socket(fileno=3)
channel.setblocking(True)
def say(kind, payload=b"", number=0, fds=()):
    datagram = struct.pack("<BBHIQ", 2, kind, 0, len(payload), number) + payload
    socket.send_fds(channel, [datagram], fds)
def forked(number, pid, error=0):
    say(0x52, struct.pack("<II", pid, error), number)
def fork_for_parent():
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    return ctypes.CDLL(None).syscall(number, 0x8000, 0, 0, 0, 0)
def note(pid):
    with open(sys.argv[2] + ".part", "w") as file:
        file.write(str(pid))
    os.rename(sys.argv[2] + ".part", sys.argv[2])
mode = sys.argv[1]
if mode == "worker":
    say(0x11, struct.pack("<IH", os.getpid(), 2))
elif mode == "version":
    say(0x51, struct.pack("<H", 9))
elif mode == "garbage":
    channel.send(os.urandom(40))
elif mode == "descriptor":
    say(0x51, struct.pack("<H", 2), fds=[0])
else:
    say(0x51, struct.pack("<H", 2))
if mode == "unasked":
    forked(7, os.getpid())
if mode == "twice":
    say(0x51, struct.pack("<H", 2))
while True:
    datagram, fds, _, _ = socket.recv_fds(channel, 1024, 1)
    if not datagram:
        break
    number = struct.unpack_from("<Q", datagram, 8)[0]
    parent = os.getppid()
    children = list(map(int, open(f"/proc/{parent}/task/{parent}/children").read().split()))
    if mode == "stranger":
        forked(number, 1)
    elif mode == "broker":
        forked(number, parent)
    elif mode == "itself":
        forked(number, os.getpid())
    elif mode == "sibling":
        forked(number, min(children))
    elif mode == "huge":
        forked(number, 0xffffffff)
    elif mode == "other":
        forked(number + 1, 0)
    elif mode == "cannot":
        forked(number, 0, 11)
    elif mode == "dead":
        pid = fork_for_parent()
        if pid == 0:
            os._exit(33)
        time.sleep(0.3)
        forked(number, pid)
    elif mode == "secret":
        pid = fork_for_parent()
        if pid == 0:
            while True:
                signal.pause()
        note(pid)
    elif mode == "leave":
        break
)";

BrokerSetup with_liar(const TempFolder& folder, const std::string& mode) {
  const std::string words = folder.write("liar.py", kLiar) + " " + mode + " " + folder.file("pid");
  BrokerSetup setup;
  setup.arguments = growing(
      {"--worker-program", program_that(folder, "exec python3 " + words), "--sandbox", "no"});
  return setup;
}

TEST(ZygoteTest, AWorkerThatIsDeadBeforeItIsToldOfIsWaitedFor) {
  const TempFolder folder;
  BrokerProcess broker(with_liar(folder, "dead"));
  broker.forget_rest();  // the extra worker never comes
  EventStream events(broker.control_path());
  Client first(broker.port());
  Client second(broker.port());
  Client third(broker.port());
  ASSERT_EQ(first.claim(1), kHello);
  ASSERT_EQ(second.claim(2), kHello);
  third.send(std::string("C\3\0\0\0", 5));
  const auto ended = events.await("exit", 1);
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended.at("status").as_string(), "exit code 33");
  EXPECT_EQ(first.message(), kHello);
}

TEST(ZygoteTest, AWorkerThatIsNeverToldOfIsEnded) {
  const TempFolder folder;
  const BrokerProcess broker(with_liar(folder, "secret"));
  Clients clients;
  fill(clients, broker, 1);
  EXPECT_EQ(broker.status().zygote.forked, 0);
  const std::string pid = read_file(folder.file("pid"));
  ASSERT_FALSE(pid.empty());
  EXPECT_TRUE(eventually([&] { return state_of(std::stoi(pid)) == 0; }));
}

class LyingZygote : public testing::TestWithParam<const char*> {};

TEST_P(LyingZygote, CostsNobodyAnything) {
  const TempFolder folder;
  const BrokerProcess broker(with_liar(folder, GetParam()));
  const pid_t base = broker.worker_pid(0);
  Clients clients;
  fill(clients, broker, 2);
  EXPECT_EQ(broker.worker_pid(0), base);
  EXPECT_EQ(broker.status().zygote.forked, 0);
  EXPECT_EQ(clients.front()->message(), kHello);
  EXPECT_EQ(broker.status().state, "running");
}

INSTANTIATE_TEST_SUITE_P(All, LyingZygote,
                         testing::Values("worker", "version", "garbage", "descriptor", "unasked",
                                         "twice", "stranger", "broker", "itself", "sibling", "huge",
                                         "other", "cannot", "leave", "silent"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace mpb::test
