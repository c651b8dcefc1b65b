#include "common/process/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/base/keyed_map.hpp"
#include "common/base/units.hpp"
#include "common/io/signals.hpp"
#include "common/process/descent.hpp"
#include "common/process/exit_reports.hpp"
#include "common/process/newborns.hpp"
#include "common/process/program.hpp"

namespace mpb {
namespace {

constexpr int kChannelFd = 3;
constexpr std::int64_t kMaxAccountNumber = UINT32_MAX - 1;  // (uid_t)-1 stands for none
constexpr int kExecFailed = 127;                            // as a shell says it
constexpr Duration kReportPause{5};                         // between two looks for a report
constexpr int kReportLooks = 60;

std::vector<char*> to_argv(const std::vector<std::string>& texts) {
  std::vector<char*> argv;
  for (const std::string& text : texts) argv.push_back(const_cast<char*>(text.c_str()));
  argv.push_back(nullptr);
  return argv;
}

// Async-signal-safe, all three.
bool has_capability(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return ::geteuid() == 0;
  return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

bool may_change_account() {
  return has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
}

/// Async-signal-safe.
void limit_resource(const ResourceLimit& limit) {
  const auto resource = static_cast<__rlimit_resource_t>(limit.resource);
  rlimit wanted{limit.most, limit.most};
  if (::setrlimit(resource, &wanted) == 0 || ::getrlimit(resource, &wanted) != 0) return;
  wanted.rlim_cur = wanted.rlim_max;
  ::setrlimit(resource, &wanted);
}

bool is_own(const Credentials& credentials) {
  return ::geteuid() == credentials.user && ::getegid() == credentials.group;
}

/// The pids of all Child objects whose process has not been waited for.
KeyedSet<pid_t>& living() {
  static KeyedSet<pid_t> pids;
  return pids;
}

}  // namespace

void Child::Unmap::operator()(StartFailure* failure) const {
  ::munmap(failure, sizeof *failure);
}

Child::SharedFailure Child::map_failure() {
  void* page = ::mmap(nullptr, sizeof(StartFailure), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return SharedFailure(page == MAP_FAILED ? nullptr : static_cast<StartFailure*>(page));
}

/// Between fork and exec: only what is async-signal-safe, nothing that allocates.
void Child::become_child(const char* program, char* const* argv, char* const* environment,
                         int channel, int null, const ChildOptions& options,
                         StartFailure& failure) {
  // Else it does without: what it leaves behind is found by its descent.
  [[maybe_unused]] const ssize_t entered = ::write(options.cgroup, "0", 1);
  if (options.begins_descent) begin_descent();
  restore_signals(options.holds_requests);
  for (const ResourceLimit& limit : options.limits) limit_resource(limit);
  // Before descriptors are put in place: it has one itself.
  if (options.confinement && !options.confinement->apply()) {
    failure = {StartFailure::Step::kConfine, errno};
    ::_exit(kExecFailed);
  }
  ::dup2(null, STDIN_FILENO);
  // dup2 onto itself would leave the descriptor close-on-exec.
  if (channel == kChannelFd) {
    ::fcntl(channel, F_SETFD, 0);
  } else {
    ::dup2(channel, kChannelFd);
  }
  ::syscall(SYS_close_range, kChannelFd + 1, ~0U, 0);
  if (options.run_as && !assume(*options.run_as)) {
    failure = {StartFailure::Step::kAssume, errno};
    ::_exit(kExecFailed);
  }
  ::execvpe(program, argv, environment);
  failure = {StartFailure::Step::kExecute, errno};
  ::_exit(kExecFailed);
}

std::string Child::describe(const StartFailure& failure, const ChildOptions& options) {
  const char* reason = std::strerror(failure.error);
  switch (failure.step) {
    case StartFailure::Step::kNone:
      return {};
    case StartFailure::Step::kConfine:
      return fmt::format("{}: cannot be confined (sandbox = strict): {}", options.program, reason);
    case StartFailure::Step::kAssume:
      return fmt::format("{}: cannot run as user {} and group {}: {}", options.program,
                         options.run_as->user, options.run_as->group, reason);
    case StartFailure::Step::kExecute:
      break;
  }
  // The kernel says the same of a script without its interpreter.
  const bool there = failure.error == ENOENT && why_not_executable(options.program).empty();
  return fmt::format("{}: exec failed: {}{}", options.program, reason,
                     there ? " (its interpreter or loader)" : "");
}

std::string ExitStatus::to_string() const {
  if (!not_begun.empty()) return not_begun;
  if (unknown) return "ended, how is not known";
  if (signal != 0) {
    const char* name = ::sigabbrev_np(signal);
    return fmt::format("killed by SIG{}", name != nullptr ? name : std::to_string(signal).c_str());
  }
  // As a shell and the dynamic loader say it.
  if (code == kExecFailed) return "exit code 127 (a program or library was not found)";
  return fmt::format("exit code {}", code);
}

Result<Credentials> find_credentials(const std::string& user, const std::string& group) {
  Credentials found{::getuid(), ::getgid()};
  if (!user.empty()) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) {
      const auto number = parse_integer(user, 0, kMaxAccountNumber);
      if (number) entry = ::getpwuid(static_cast<uid_t>(*number));
    }
    if (entry == nullptr) return usage_error(fmt::format("user = {}: no such user", user));
    found = {entry->pw_uid, entry->pw_gid};
  }
  if (!group.empty()) {
    const struct group* entry = ::getgrnam(group.c_str());
    if (entry == nullptr) {
      const auto number = parse_integer(group, 0, kMaxAccountNumber);
      if (number) entry = ::getgrgid(static_cast<gid_t>(*number));
    }
    if (entry == nullptr) return usage_error(fmt::format("group = {}: no such group", group));
    found.group = entry->gr_gid;
  }
  return found;
}

bool may_assume(const Credentials& credentials) {
  return may_change_account() || is_own(credentials);
}

bool may_kill(const Credentials& credentials) {
  return ::geteuid() == credentials.user || has_capability(CAP_KILL);
}

namespace {

/// The kernel takes them from root alone when it becomes somebody else; ambient ones outlive
/// execve.
bool give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return ::syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

bool assume(const Credentials& credentials) {
  if (!may_change_account() && is_own(credentials)) return true;
  const bool another = credentials.user != ::geteuid();
  if (::setgroups(1, &credentials.group) != 0 || ::setgid(credentials.group) != 0 ||
      ::setuid(credentials.user) != 0) {
    return false;
  }
  return !another || give_up_capabilities();
}

Result<std::unique_ptr<Child>> Child::spawn(EventLoop& loop, const ChildOptions& options,
                                            const UniqueFd& channel,
                                            std::function<void(ExitStatus)> on_exit) {
  std::vector<std::string> words{options.program};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  const std::vector<char*> argv = to_argv(words);
  const std::vector<char*> environment = to_argv(options.environment);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return system_error("/dev/null");

  SharedFailure failure = map_failure();
  if (!failure) return system_error("mmap");

  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    become_child(options.program.c_str(), argv.data(), environment.data(), channel.get(),
                 null.get(), options, *failure);
  }
  auto child = watch(loop, pid, std::move(on_exit));
  if (!child) return child.error();
  (*child)->options_ = options;
  (*child)->failure_ = std::move(failure);
  return child;
}

Result<std::unique_ptr<Child>> Child::adopt(EventLoop& loop, pid_t pid,
                                            std::function<void(ExitStatus)> on_exit) {
  if (!is_unclaimed(pid)) return protocol_error(fmt::format("{} is no child that forked", pid));
  return watch(loop, pid, std::move(on_exit));
}

Result<std::unique_ptr<Child>> Child::watch(EventLoop& loop, pid_t pid,
                                            std::function<void(ExitStatus)> on_exit) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const Error error = system_error("pidfd_open");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  ::fcntl(pidfd.get(), F_SETFD, FD_CLOEXEC);
  forget_newborn(pid);
  return watch(std::unique_ptr<Child>(new Child(loop, pid, std::move(pidfd), std::move(on_exit))));
}

Result<std::unique_ptr<Child>> Child::take_over(EventLoop& loop, pid_t pid, UniqueFd pidfd,
                                                ExitReports& reports,
                                                std::function<void(ExitStatus)> on_exit) {
  std::unique_ptr<Child> child(new Child(loop, pid, std::move(pidfd), std::move(on_exit)));
  child->reports_ = &reports;
  return watch(std::move(child));
}

Result<std::unique_ptr<Child>> Child::watch(std::unique_ptr<Child> child) {
  living().insert(child->pid_);
  auto watch = child->loop_.add(child->pidfd_.get(), EPOLLIN, *child);
  if (!watch) return watch.error();
  child->watch_ = *watch;
  return child;
}

Child::~Child() {
  loop_.cancel(report_timer_);
  if (!pidfd_) return;
  loop_.remove(watch_, pidfd_.get());
  signal(SIGKILL);
  if (reports_ == nullptr) ::waitpid(pid_, nullptr, 0);
  living().erase(pid_);
}

bool Child::is_one(pid_t pid) {
  return living().contains(pid);
}

bool Child::is_unclaimed(pid_t pid) {
  siginfo_t info{};
  return pid > 0 && !is_one(pid) &&
         ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Child::signal(int number) {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Child::await_report() {
  ExitStatus status;
  if (const auto known = reports_->take(pid_)) {
    if (WIFEXITED(*known)) status.code = WEXITSTATUS(*known);
    if (WIFSIGNALED(*known)) status.signal = WTERMSIG(*known);
    return finish(status);
  }
  if (!reports_->come() || ++report_looks_ >= kReportLooks) {
    status.unknown = true;
    return finish(status);
  }
  if (watch_.active()) loop_.remove(watch_, pidfd_.get());
  report_timer_ = loop_.after(kReportPause, [this] { await_report(); });
}

void Child::finish(ExitStatus status) {
  if (watch_.active()) loop_.remove(watch_, pidfd_.get());
  pidfd_.reset();
  living().erase(pid_);
  const auto on_exit = std::move(on_exit_);
  on_exit(std::move(status));
}

void Child::on_events(std::uint32_t) {
  if (reports_ != nullptr) return await_report();
  siginfo_t info{};
  ExitStatus status;
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD) return;
    status.unknown = true;
  } else if (info.si_pid == 0) {
    return;
  }
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
  }
  if (failure_) status.not_begun = describe(*failure_, options_);
  finish(std::move(status));
}

}  // namespace mpb
