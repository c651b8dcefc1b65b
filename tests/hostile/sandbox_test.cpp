// What a worker that was taken over can do: a program of the worker library that makes the system
// calls its client names.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "common/process/confinement.hpp"
#include "common/process/landlock.hpp"
#include "common/process/syscall_filter.hpp"
#include "tests/hostile/captured_calls.hpp"
#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr const char* kRefused = "EPERM";        // by seccomp, or Landlock's scope
constexpr const char* kNotPermitted = "EACCES";  // by Landlock's rules

/// How a worker began; early: a zygote that forked it had given up calls for it.
enum class Start : std::uint8_t { kExeced, kForked, kForkedEarly };

struct CapturedPlan {
  Start start = Start::kExeced;  // of the worker that the client comes to
  std::string needs{};
  bool bare = false;  // only what mpbroker itself imposes holds for it
  std::string sandbox = "strict";
  std::string workers = "1";
  std::function<void()> before_exec{};
};

/// A broker whose workers do what the test says.
class Captured {
 public:
  explicit Captured(const CapturedPlan& plan)
      : broker_(setup_of(plan)), client_(connected(broker_, plan.start)) {}

  std::string attempt(const std::string& call, pid_t pid = 0, const std::string& place = "-") {
    client_.send(call + " " + std::to_string(pid) + " " + place + "\n");
    return client_.read_text();
  }
  [[nodiscard]] pid_t broker() const { return broker_.pid(); }
  [[nodiscard]] pid_t worker() const { return broker_.worker_pid(0); }
  /// Of two workers the one that the client is not at.
  [[nodiscard]] pid_t sibling() const {
    EXPECT_TRUE(broker_.await_held(1));
    return broker_.worker_pid(broker_.worker(0).held == 0 ? 0 : 1);
  }
  [[nodiscard]] pid_t zygote() const { return broker_.status().zygote.pid; }
  [[nodiscard]] std::string log() const { return broker_.log(); }
  [[nodiscard]] std::uint16_t port() const { return broker_.port(); }

 private:
  static BrokerSetup setup_of(const CapturedPlan& plan) {
    BrokerSetup setup;
    setup.arguments = {"--protocol",       "ping",
                       "--handler",        "captured",
                       "--workers",        plan.workers,
                       "--sandbox",        plan.sandbox,
                       "--spawn",          plan.start == Start::kExeced ? "exec" : "zygote",
                       "--worker-program", program_path("captured_worker")};
    std::vector<std::string> variables;
    if (!plan.needs.empty()) variables.push_back("CAPTURED_NEEDS=" + plan.needs);
    if (plan.start == Start::kForkedEarly) variables.emplace_back("CAPTURED_EARLY=1");
    if (plan.bare) variables.emplace_back("CAPTURED_BARE=1");
    setup.environment = setup.worker_environment = variables;
    setup.before_exec = plan.before_exec;
    setup.await_ready = plan.workers != "0";  // it would be asked as a worker of another protocol
    return setup;
  }

  static Client connected(const BrokerProcess& broker, Start start) {
    EXPECT_TRUE(eventually([&] { return !is_refused(broker.port()); }));
    if (start != Start::kExeced) replace_by_forked(broker);
    return Client(broker.port());
  }

  static void replace_by_forked(const BrokerProcess& broker) {
    EXPECT_EQ(broker.status().zygote.state, "ready");
    const auto workers = broker.status().workers;
    for (const WorkerStatus& first : workers) {
      ::kill(first.pid, SIGKILL);
      EXPECT_TRUE(eventually([&] {
        const WorkerStatus worker = broker.worker(first.slot);
        return worker.state == "online" && worker.pid != first.pid;
      }));
    }
    EXPECT_EQ(broker.status().zygote.forked, static_cast<std::int64_t>(workers.size()));
  }

  BrokerProcess broker_;
  Client client_;
};

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (missing_all_of_sandbox()) GTEST_SKIP() << "built with a sanitizer";
    if (!can_filter_calls()) GTEST_SKIP() << "no seccomp here";
  }

  static bool has_landlock(int version) { return landlock::version() >= version; }

  static void expect_all_refused(Captured& captured, std::span<const hostile::CapturedCall> calls,
                                 pid_t pid) {
    for (const hostile::CapturedCall& call : calls) {
      const std::string outcome = captured.attempt(std::string(call.name), pid);
      EXPECT_TRUE(outcome == kRefused || outcome == kNotPermitted) << call.name << ": " << outcome;
    }
  }

  static void expect(Captured& captured, const std::string& outcome,
                     std::initializer_list<const char*> calls) {
    for (const char* call : calls) EXPECT_EQ(captured.attempt(call), outcome) << call;
  }
};

/// A worker that was run by itself, and those that a zygote has forked.
class LibrarySandbox : public Sandbox, public testing::WithParamInterface<Start> {};

std::string name_of(Start start) {
  constexpr std::array kNames{"Execed", "Forked", "ForkedEarly"};
  return kNames[static_cast<std::size_t>(start)];
}

INSTANTIATE_TEST_SUITE_P(Started, LibrarySandbox,
                         testing::Values(Start::kExeced, Start::kForked, Start::kForkedEarly),
                         [](const auto& test) { return name_of(test.param); });

constexpr int kCreateRuleset = 444;

/// As a container does that forbids these calls, or a kernel that lacks them.
void deny(std::initializer_list<int> calls) {
  CallRules rules;
  for (const int call : calls) rules.add(call, {fail_with(ENOSYS)});
  if (!give_up_rights() || !install_filter(rules.compile(let_pass()))) ::_exit(1);
}

void without_landlock() {
  deny({kCreateRuleset});
}

std::string fact_of(const std::string& folder, const std::string& name) {
  std::istringstream lines(read_file(folder + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return line.substr(line.find_last_of("\t ") + 1);
  }
  return {};
}

// --- what mpbroker imposes on any worker program -------------------------------------------------

TEST_F(Sandbox, NoWorkerProgramReachesIntoTheBroker) {
  Captured captured({.bare = true});
  expect_all_refused(captured, hostile::calls_into_processes(), captured.broker());
}

TEST_F(Sandbox, NoWorkerProgramReachesIntoAnotherProcess) {
  Captured captured({.bare = true});
  Captured other({.sandbox = "no"});
  expect_all_refused(captured, hostile::calls_into_processes(), other.broker());
}

TEST_F(Sandbox, NoWorkerProgramUsesWhatServesNoClient) {
  Captured captured({.bare = true});
  expect_all_refused(captured, hostile::calls_into_kernel(), 0);
}

TEST_F(Sandbox, WhatOtherProgramsNeedIsLeftToThem) {
  const TempFolder folder;
  Captured captured({.bare = true});
  expect(captured, "ok", {"fork", "program", "thread", "socket", "listen", "itself"});
  EXPECT_EQ(captured.attempt("write", 0, folder.file("made")), "ok");
}

// --- what the worker library gives up ------------------------------------------------------------

TEST_P(LibrarySandbox, ACapturedWorkerReachesIntoNoProcess) {
  Captured captured({.start = GetParam(), .needs = "connect"});
  expect_all_refused(captured, hostile::calls_into_processes(), captured.broker());
  EXPECT_EQ(captured.attempt("pidfd_open", captured.broker()), kRefused);
}

TEST_P(LibrarySandbox, ACapturedWorkerUsesNothingThatServesNoClient) {
  Captured captured({.start = GetParam(), .needs = "connect"});
  expect_all_refused(captured, hostile::calls_into_kernel(), 0);
  expect(captured, kRefused, {"setuid", "no-dumpable"});
}

TEST_P(LibrarySandbox, AHandlerThatDeclaresNothingServesItsClientsAndNoMore) {
  const TempFolder folder;
  Captured captured({.start = GetParam()});
  expect(captured, kRefused,
         {"fork", "exec", "program", "socket", "raw-socket", "packet-socket", "listen"});
  EXPECT_EQ(captured.attempt("connect", 0, std::to_string(captured.port())), kRefused);
  expect(captured, "ok", {"thread", "itself"});
  EXPECT_EQ(captured.attempt("unlink", 0, folder.write("file", "")), kRefused);
  EXPECT_EQ(captured.attempt("chmod", 0, folder.file("file")), kRefused);
}

TEST_P(LibrarySandbox, ACapturedWorkerOpensNoFileThatItDoesNotNeed) {
  if (!has_landlock(1)) GTEST_SKIP() << "no Landlock here";
  const TempFolder folder;
  Captured captured({.start = GetParam()});
  EXPECT_EQ(captured.attempt("read", 0, folder.write("secret", "")), kNotPermitted);
  EXPECT_EQ(captured.attempt("read", 0, "/etc/passwd"), kNotPermitted);
  EXPECT_EQ(captured.attempt("write", 0, folder.file("new")), kNotPermitted);
  EXPECT_EQ(captured.attempt("write", 0, folder.file("secret")), kNotPermitted);
}

TEST_P(LibrarySandbox, AHandlerThatDeclaresConnectMayConnectAndLookNamesUp) {
  const TempFolder folder;
  Captured captured({.start = GetParam(), .needs = "connect"});
  EXPECT_EQ(captured.attempt("connect", 0, std::to_string(captured.port())), "ok");
  EXPECT_EQ(captured.attempt("read", 0, "/etc/passwd"), "ok");
  expect(captured, kRefused, {"raw-socket", "packet-socket", "listen", "fork", "program"});
  if (!has_landlock(1)) return;
  EXPECT_EQ(captured.attempt("read", 0, folder.write("secret", "")), kNotPermitted);
  EXPECT_EQ(captured.attempt("write", 0, "/etc/passwd"), kNotPermitted);
}

TEST_P(LibrarySandbox, ACapturedWorkerConnectsToNoAbstractSocket) {
  if (!has_landlock(landlock::kScopesSignals)) GTEST_SKIP() << "Landlock is too old here";
  const TempFolder folder;
  std::string name = folder.path();
  std::replace(name.begin(), name.end(), '/', '.');
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  Captured captured({.start = GetParam(), .needs = "connect"});
  EXPECT_EQ(captured.attempt("connect-abstract", 0, name), kRefused);
  Captured free({.start = GetParam(), .needs = "connect", .sandbox = "no"});
  EXPECT_EQ(free.attempt("connect-abstract", 0, name), "ok");
}

TEST_P(LibrarySandbox, AHandlerThatDeclaresListenMayListen) {
  Captured captured({.start = GetParam(), .needs = "listen"});
  EXPECT_EQ(captured.attempt("listen"), "ok");
  expect(captured, kRefused, {"fork", "raw-socket"});
}

TEST_P(LibrarySandbox, AHandlerThatDeclaresProgramsMayStartThem) {
  Captured captured({.start = GetParam(), .needs = "programs"});
  expect(captured, "ok", {"fork", "program", "thread", "itself"});
  expect(captured, kRefused, {"socket", "unshare", "setuid"});
  if (has_landlock(landlock::kScopesSignals)) {
    EXPECT_EQ(captured.attempt("kill", captured.broker()), kRefused);
  }
}

TEST_P(LibrarySandbox, AHandlerThatDeclaresAFolderMayWriteThere) {
  const TempFolder folder;
  const TempFolder beside;
  Captured captured({.start = GetParam(), .needs = "write=" + folder.path()});
  EXPECT_EQ(captured.attempt("write", 0, folder.file("new")), "ok");
  EXPECT_EQ(captured.attempt("read", 0, folder.file("new")), "ok");
  EXPECT_EQ(captured.attempt("unlink", 0, folder.file("new")), "ok");
  if (!has_landlock(1)) return;
  EXPECT_EQ(captured.attempt("write", 0, beside.file("new")), kNotPermitted);
  EXPECT_EQ(captured.attempt("unlink", 0, beside.write("file", "")), kNotPermitted);
}

TEST_F(Sandbox, AForkedWorkerReachesIntoNeitherItsZygoteNorASibling) {
  Captured captured({.start = Start::kForkedEarly, .workers = "2"});
  expect_all_refused(captured, hostile::calls_into_processes(), captured.zygote());
  expect_all_refused(captured, hostile::calls_into_processes(), captured.sibling());
}

TEST_F(Sandbox, WithoutLandlockAForkedWorkerReachesIntoNoZygote) {
  Captured captured({.start = Start::kForkedEarly, .before_exec = without_landlock});
  for (const char* call : {"kill", "tgkill", "pidfd_send_signal", "ptrace", "prlimit"}) {
    EXPECT_EQ(captured.attempt(call, captured.zygote()), kRefused) << call;
  }
  const std::string memory = "/proc/" + std::to_string(captured.zygote()) + "/mem";
  EXPECT_NE(captured.attempt("write", 0, memory), "ok");
  expect(captured, "ok", {"itself"});
}

TEST_F(Sandbox, WithoutItAWorkerMayWhatItsUserMay) {
  const TempFolder folder;
  Captured captured({.sandbox = "no"});
  expect(captured, "ok", {"fork", "program", "socket", "listen"});
  EXPECT_EQ(captured.attempt("kill", captured.broker()), "ok");
  EXPECT_EQ(captured.attempt("write", 0, folder.file("new")), "ok");
}

TEST_F(Sandbox, HoldsForEveryThreadOfAWorker) {
  const BrokerProcess broker({"--protocol", "rtmp", "--workers", "2"});
  for (int slot = 0; slot < 2; ++slot) {
    const std::string tasks = "/proc/" + std::to_string(broker.worker_pid(slot)) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      EXPECT_EQ(fact_of(task.path(), "Seccomp"), "2");
      EXPECT_EQ(fact_of(task.path(), "NoNewPrivs"), "1");
    }
  }
}

TEST_F(Sandbox, AWorkerOfRootHasNoRightsOverOthers) {
  const BrokerProcess broker({"--workers", "1"});
  const std::string worker = "/proc/" + std::to_string(broker.worker_pid(0));
  for (const char* set : {"CapPrm", "CapEff", "CapInh"}) {
    const auto held = std::stoull(fact_of(worker, set), nullptr, 16);
    for (const unsigned capability : {CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_NET_ADMIN}) {
      EXPECT_EQ(held >> capability & 1U, 0U) << set << " " << capability;
    }
  }
}

// --- the single process --------------------------------------------------------------------------

TEST_F(Sandbox, ACapturedSingleProcessStartsNothingAndReachesNobody) {
  Captured captured({.workers = "0"});
  const TempFolder folder;
  Captured other({.sandbox = "no"});
  expect_all_refused(captured, hostile::calls_into_processes(), other.broker());
  expect_all_refused(captured, hostile::calls_into_kernel(), 0);
  expect(captured, kRefused, {"fork", "exec", "program", "raw-socket", "setuid"});
  expect(captured, "ok", {"thread", "itself", "listen"});
  if (has_landlock(1)) {
    EXPECT_EQ(captured.attempt("write", 0, folder.file("new")), kNotPermitted);
  }
}

// --- where the kernel has less -------------------------------------------------------------------

TEST_P(LibrarySandbox, WithoutLandlockWorkersAreKeptFromEachOtherAllTheSame) {
  Captured captured({.start = GetParam(), .needs = "connect", .before_exec = without_landlock});
  Captured sibling({.start = GetParam(), .before_exec = without_landlock});
  for (const hostile::CapturedCall& call : hostile::calls_into_processes()) {
    if (call.name == "oom-score") continue;  // a file: its user may write it
    const std::string outcome = captured.attempt(std::string(call.name), sibling.worker());
    EXPECT_TRUE(outcome == kRefused || outcome == kNotPermitted) << call.name << ": " << outcome;
  }
  expect_all_refused(captured, hostile::calls_into_kernel(), 0);
  expect(captured, kRefused, {"fork", "program", "setuid", "no-dumpable"});
  expect(captured, "ok", {"thread", "itself", "socket"});
}

TEST_F(Sandbox, WithoutLandlockNoWorkerProgramSignalsOthers) {
  Captured captured({.bare = true, .before_exec = without_landlock});
  for (const char* call : {"kill", "tgkill", "pidfd_send_signal", "ptrace", "prlimit"}) {
    EXPECT_EQ(captured.attempt(call, captured.broker()), kRefused) << call;
  }
  expect(captured, "ok", {"itself", "fork", "program"});
}

TEST_F(Sandbox, WhatTheKernelDoesNotGiveIsToldOnce) {
  Captured captured({.workers = "2", .before_exec = [] { deny({kCreateRuleset, SYS_seccomp}); }});
  EXPECT_EQ(captured.attempt("itself"), "ok");
  const std::string log = captured.log();
  const auto line = log.find("event=sandbox missing=\"seccomp");
  ASSERT_NE(line, std::string::npos) << log;
  EXPECT_EQ(log.find("event=sandbox", line + 1), std::string::npos) << log;
}

// --- what changes later --------------------------------------------------------------------------

TEST_F(Sandbox, AListenerThatNeedsWhatWasGivenUpIsToldOf) {
  const std::string control = "workers = 1\n[listener a]\nlisten = 127.0.0.1:PORT\n";
  BrokerSetup setup;
  setup.config = control;
  BrokerProcess broker(std::move(setup));
  const std::string second = std::to_string(free_port());
  broker.write_config(control + "[listener b]\nlisten = 127.0.0.1:" + second +
                      "\nprotocol = rtmp\n");
  broker.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return broker.log().find("event=sandbox.narrow listener=b") != std::string::npos;
  })) << broker.log();
  broker.forget_rest();  // the listener is new
}

}  // namespace
}  // namespace mpb::test
