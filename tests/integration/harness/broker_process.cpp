#include "tests/integration/harness/broker_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <utility>

#include "common/base/error.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr int kStartTries = 5;  // when somebody else takes the port

std::string run_marker(pid_t test_process) {
  return "MPB_TEST_RUN=" + std::to_string(test_process);
}

std::string with_port(std::string text, std::uint16_t port) {
  constexpr std::string_view kName = "PORT";
  for (auto at = text.find(kName); at != std::string::npos; at = text.find(kName, at)) {
    text.replace(at, kName.size(), std::to_string(port));
  }
  return text;
}

bool is_single_process(const std::vector<std::string>& arguments) {
  const auto option = std::find(arguments.begin(), arguments.end(), "--workers");
  return option != arguments.end() && option + 1 != arguments.end() && *(option + 1) == "0";
}

/// `pids` are reaped when they are children of ours by now (PR_SET_CHILD_SUBREAPER).
void end_all(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  for (const pid_t pid : pids) {
    eventually([pid] { return ::waitpid(pid, nullptr, WNOHANG) != 0 && !is_running(pid); });
  }
}

}  // namespace

void prepare_test_process() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  const pid_t parent = ::getpid();
  ::setenv("MPB_TEST_RUN", std::to_string(parent).c_str(), 1);
  // The broker is what a test starts; those of mpguard say so.
  ::setenv("MPBROKER_HOLDER", "none", 1);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(system_error("pipe2").text);
  const pid_t guardian = ::fork();
  if (guardian != 0) {
    ::close(ends[0]);  // the other end stays open as long as this process lives
    return;
  }
  ::setsid();
  // Whoever reads the test's output waits for its end.
  for (int fd = 0; fd < 256; ++fd) {
    if (fd != ends[0]) ::close(fd);
  }
  char byte = 0;
  while (::read(ends[0], &byte, 1) < 0 && errno == EINTR) continue;
  for (const pid_t pid : processes_with(run_marker(parent))) ::kill(pid, SIGKILL);
  ::_exit(0);
}

BrokerProcess::BrokerProcess(std::vector<std::string> arguments)
    : BrokerProcess([&] {
        BrokerSetup setup;
        setup.arguments = std::move(arguments);
        return setup;
      }()) {}

BrokerProcess::BrokerProcess(BrokerSetup setup) {
  bool up = false;
  for (int i = 1; !up; ++i) {
    port_ = setup.port ? *setup.port : free_port();
    start(setup);
    up = await_start(setup);
    if (up) continue;
    const std::string why = "mpbroker did not become ready (" + wait_exit(0ms) + "): " + log();
    child_.reset();
    end_all(processes());
    const bool clash = why.find("ddress already in use") != std::string::npos;
    if (!clash || setup.port || i == kStartTries) throw std::runtime_error(why);
  }
}

void BrokerProcess::start(const BrokerSetup& setup) {
  ProgramStart program;
  program.program = program_path("mpbroker");
  program.arguments = {"--control-socket", control_path()};
  const auto has = [&](const char* option) {
    return std::find(setup.arguments.begin(), setup.arguments.end(), option) !=
           setup.arguments.end();
  };
  // A busy machine makes no worker a hung one, nor an answer a missing one; tests of those say so.
  for (const char* option : {"start-timeout", "ping-limit", "answer-timeout"}) {
    if (has(("--" + std::string(option)).c_str())) continue;
    if (setup.config.find(std::string(option) + " =") != std::string::npos) continue;
    program.arguments.insert(program.arguments.end(), {"--" + std::string(option), "60s"});
  }
  // Counters and hung workers are seen sooner than by default.
  if (!has("--ping-interval") && setup.config.empty()) {
    program.arguments.insert(program.arguments.end(), {"--ping-interval", "200ms"});
  }
  if (!setup.config.empty()) {
    write_config(setup.config);
    program.arguments.insert(program.arguments.end(), {"--config", folder_.file("mpbroker.ini")});
  } else if (!has("--listen")) {
    program.arguments.insert(program.arguments.end(),
                             {"--listen", "127.0.0.1:" + std::to_string(port_)});
  }
  program.arguments.insert(program.arguments.end(), setup.arguments.begin(), setup.arguments.end());
  if (!is_single_process(setup.arguments)) {
    // By these the workers are found.
    std::vector<std::string> variables{"MPB_TEST_RUN", marker()};
    variables.insert(variables.end(), setup.worker_environment.begin(),
                     setup.worker_environment.end());
    for (const std::string& variable : variables) {
      program.arguments.insert(program.arguments.end(), {"--worker-environment", variable});
    }
  }
  program.environment = setup.environment;
  if (setup.held) program.environment.push_back("MPBROKER_HOLDER=");
  program.environment.push_back(marker());
  program.errors = folder_.file("log");
  program.descriptors = setup.descriptors;
  program.inherited = setup.inherited;
  program.before_exec = [before = setup.before_exec] {
    ::setsid();
    if (before) before();
  };
  child_ = std::make_unique<ChildProcess>(program);
}

bool BrokerProcess::await_start(const BrokerSetup& setup) {
  const bool single = single_process_ = is_single_process(setup.arguments);
  held_ = setup.held;
  if (!setup.await_ready) return true;
  const bool up = eventually([&] { return !running() || ready(single); }, kPatience) && running();
  if (up && !setup.held) remember_rest();
  return up;
}

bool BrokerProcess::ready(bool single_process) const {
  try {
    if (single_process) return Client(port_).who().worker == 0;
    const BrokerStatus now = status();
    return !now.workers.empty() && now.count("online") == now.workers.size() &&
           now.zygote.state != "starting";
  } catch (const std::exception&) {
    return false;
  }
}

void BrokerProcess::remember_rest() {
  static_cast<void>(fd_counts());  // waits until earlier connections are closed
  const BrokerStatus now = single_process_ ? BrokerStatus{} : status();
  static_cast<void>(fd_counts());
  rest_.emplace(pid(), now);
}

void BrokerProcess::expect_rest() {
  std::string left;
  const bool clean = eventually([&] {
    if (!running()) return true;
    try {
      const BrokerStatus now = single_process_ ? BrokerStatus{} : status();
      if (now.state == "draining") return true;
      left = rest_->left_over(now);
    } catch (const std::exception& error) {
      left = error.what();
    }
    return left.empty();
  });
  if (!clean) ADD_FAILURE() << "left over at the end: " << left;
}

BrokerProcess::~BrokerProcess() {
  signal(SIGCONT);
  const bool ended_well = std::uncaught_exceptions() == 0 && !testing::Test::HasFailure();
  if (rest_ && running() && ended_well) {
    for (const pid_t pid : processes()) ::kill(pid, SIGCONT);
    expect_rest();
  }
  signal(SIGTERM);
  const std::vector<pid_t> all = processes();
  for (const pid_t pid : all) {
    ::kill(pid, SIGCONT);
    ::kill(pid, SIGTERM);
  }
  // Clients may be left, and SIGTERM waits for them: a second one does not.
  signal(SIGTERM);
  wait_exit(1s);
  end_all(all);
  end_all(processes());
  const std::string text = log();
  for (const char* sign : {"Sanitizer", "runtime error:", "terminate called", "Assertion"}) {
    if (text.find(sign) != std::string::npos) ADD_FAILURE() << "a process crashed: " << sign;
  }
  if (testing::Test::HasFailure()) std::cerr << "--- log of mpbroker:\n" << text << "---\n";
}

std::string BrokerProcess::log() const {
  return read_file(folder_.file("log"));
}

BrokerStatus BrokerProcess::status() const {
  return read_status(ControlLink(control_path()).ask("status"));
}

pid_t BrokerProcess::broker_pid() const {
  return static_cast<pid_t>(ControlLink(control_path()).ask("status").at("pid").to_number<int>());
}

pid_t BrokerProcess::kill_broker() const {
  const pid_t pid = broker_pid();
  ::kill(pid, SIGKILL);
  return pid;
}

bool BrokerProcess::await_next_broker(pid_t before) const {
  return eventually([&] {
    try {
      if (broker_pid() == before) return false;
      const BrokerStatus now = status();
      return now.state == "running" && now.count("starting") == 0;
    } catch (const std::exception&) {
      return false;
    }
  });
}

boost::json::object BrokerProcess::request(const boost::json::object& request) const {
  return ControlLink(control_path()).request(request);
}

void BrokerProcess::write_config(const std::string& text) const {
  folder_.write("mpbroker.ini", with_port(text, port_));
}

bool BrokerProcess::await_workers(std::size_t count, const std::string& state,
                                  Duration limit) const {
  return eventually([&] { return status().count(state) == count; }, limit);
}

bool BrokerProcess::await_held(std::int64_t count, Duration limit) const {
  return eventually([&] { return status().held() == count; }, limit);
}

std::vector<pid_t> BrokerProcess::processes() const {
  std::vector<pid_t> pids = processes_with(marker());
  if (!child_) return pids;
  // By their environment root alone finds them: nobody else may look into them.
  for (const pid_t pid : processes_of_session(child_->pid())) {
    if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
  }
  std::erase(pids, child_->pid());
  if (held_) std::erase_if(pids, [](pid_t pid) { return program_of(pid) == "mpbroker"; });
  return pids;
}

std::map<pid_t, std::size_t> BrokerProcess::fd_counts() const {
  constexpr Duration kSettled{60};
  auto counts = count_fds();
  eventually([&] {
    const auto before = counts;
    return throughout(kSettled, [&] { return (counts = count_fds()) == before; });
  });
  return counts;
}

std::map<pid_t, std::size_t> BrokerProcess::count_fds() const {
  std::map<pid_t, std::size_t> counts{{pid(), descriptors_of(pid())}};
  for (const pid_t worker : processes()) counts[worker] = own_descriptors_of(worker, pid());
  return counts;
}

bool BrokerProcess::await_fd_counts(const std::map<pid_t, std::size_t>& counts) const {
  return eventually([&] { return count_fds() == counts; });
}

}  // namespace mpb::test
