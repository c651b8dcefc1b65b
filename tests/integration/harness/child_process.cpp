#include "tests/integration/harness/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "common/base/error.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr int kFirstInherited = 3;
constexpr int kCannotExecute = 127;

void redirect(int target, const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0 || ::dup2(fd, target) < 0) ::_exit(kCannotExecute);
  if (fd != target) ::close(fd);
}

void pass_on(const std::vector<int>& inherited) {
  if (inherited.empty()) return;
  const int count = static_cast<int>(inherited.size());
  // First out of the way, so that none is overwritten by another.
  std::vector<int> copies;
  for (const int fd : inherited) {
    copies.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstInherited + count));
  }
  for (int i = 0; i < count; ++i) ::dup2(copies[static_cast<std::size_t>(i)], kFirstInherited + i);
  ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
}

/// In the new process; this program has one thread, so that anything may be called there.
[[noreturn]] void become(const ProgramStart& start, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kCannotExecute);
  redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
  redirect(STDOUT_FILENO, start.output, O_WRONLY | O_CREAT | O_APPEND);
  redirect(STDERR_FILENO, start.errors, O_WRONLY | O_CREAT | O_APPEND);
  for (const std::string& variable : start.environment) {
    const auto equals = variable.find('=');
    ::setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  pass_on(start.inherited);
  if (start.descriptors) {
    const rlimit limit{*start.descriptors, *start.descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (start.before_exec) start.before_exec();
  std::vector<char*> arguments{const_cast<char*>(start.program.c_str())};
  for (const std::string& argument : start.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  ::execv(start.program.c_str(), arguments.data());
  ::_exit(kCannotExecute);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string program_path(const std::string& name) {
  return std::string(MPB_BIN_DIR) + "/" + name;
}

ChildProcess::ChildProcess(const ProgramStart& start) {
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error(system_error("fork").text);
  if (pid_ == 0) become(start, parent);
}

ChildProcess::~ChildProcess() {
  if (!exit_.empty()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::signal(int number) const {
  if (exit_.empty()) ::kill(pid_, number);
}

std::string ChildProcess::wait_exit(Duration limit) {
  eventually(
      [this] {
        int status = 0;
        if (exit_.empty() && ::waitpid(pid_, &status, WNOHANG) == pid_) exit_ = describe(status);
        return !exit_.empty();
      },
      limit);
  return exit_.empty() ? "running" : exit_;
}

Outcome run(const std::string& program, std::vector<std::string> arguments, Duration limit) {
  const TempFolder folder;
  ProgramStart start;
  start.program = program_path(program);
  start.arguments = std::move(arguments);
  start.output = folder.file("out");
  start.errors = folder.file("err");
  ChildProcess child(start);
  Outcome outcome;
  outcome.exit = child.wait_exit(limit);
  outcome.out = read_file(start.output);
  outcome.err = read_file(start.errors);
  return outcome;
}

TempFolder::TempFolder() : path_("/tmp/mpb-test-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error(system_error("mkdtemp").text);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(const std::string& name, const std::string& text,
                              unsigned mode) const {
  const std::string path = file(name);
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), mode);
  return path;
}

}  // namespace mpb::test
