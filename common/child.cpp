#include "common/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "common/units.hpp"

namespace mpb {
namespace {

constexpr int kChannelFd = 3;
constexpr std::int64_t kMaxAccountNumber = UINT32_MAX - 1;  // (uid_t)-1 stands for none
constexpr int kExecFailed = 127;                            // as a shell says it

std::vector<char*> to_argv(const std::vector<std::string>& texts) {
  std::vector<char*> argv;
  for (const std::string& text : texts) argv.push_back(const_cast<char*>(text.c_str()));
  argv.push_back(nullptr);
  return argv;
}

/// Between fork and exec: only what is async-signal-safe, nothing that allocates.
[[noreturn]] void become_child(const char* program, char* const* argv, char* const* environment,
                               int channel, int null, const Credentials* run_as) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  ::dup2(null, STDIN_FILENO);
  // dup2 onto itself would leave the descriptor close-on-exec.
  if (channel == kChannelFd) {
    ::fcntl(channel, F_SETFD, 0);
  } else {
    ::dup2(channel, kChannelFd);
  }
  ::syscall(SYS_close_range, kChannelFd + 1, ~0U, 0);
  if (run_as != nullptr && !assume(*run_as)) ::_exit(kExecFailed);
  ::execvpe(program, argv, environment);
  ::_exit(kExecFailed);
}

// Async-signal-safe, both.
bool may_change_account() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return ::geteuid() == 0;
  const auto has = [&data](unsigned capability) {
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  };
  return has(CAP_SETUID) && has(CAP_SETGID);
}
bool is_own(const Credentials& credentials) {
  return ::geteuid() == credentials.user && ::getegid() == credentials.group;
}

}  // namespace

std::string ExitStatus::to_string() const {
  if (signal != 0) {
    const char* name = ::sigabbrev_np(signal);
    return fmt::format("killed by SIG{}", name != nullptr ? name : std::to_string(signal).c_str());
  }
  if (code == kExecFailed) return "exit code 127 (its program could not be executed)";
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

bool assume(const Credentials& credentials) {
  if (!may_change_account() && is_own(credentials)) return true;
  return ::setgroups(1, &credentials.group) == 0 && ::setgid(credentials.group) == 0 &&
         ::setuid(credentials.user) == 0;
}

Result<std::unique_ptr<Child>> Child::spawn(EventLoop& loop, const ChildOptions& options,
                                            const UniqueFd& channel,
                                            std::function<void(ExitStatus)> on_exit) {
  std::vector<std::string> words{options.program};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  const std::vector<char*> argv = to_argv(words);
  std::vector<char*> environment = to_argv(options.environment);
  environment.pop_back();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return system_error("/dev/null");

  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    become_child(options.program.c_str(), argv.data(), environment.data(), channel.get(),
                 null.get(), options.run_as ? &*options.run_as : nullptr);
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const Error error = system_error("pidfd_open");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  ::fcntl(pidfd.get(), F_SETFD, FD_CLOEXEC);
  std::unique_ptr<Child> child(new Child(loop, pid, std::move(pidfd), std::move(on_exit)));
  auto watch = loop.add(child->pidfd_.get(), EPOLLIN, *child);
  if (!watch) return watch.error();
  child->watch_ = *watch;
  return child;
}

Child::~Child() {
  if (!pidfd_) return;
  loop_.remove(watch_, pidfd_.get());
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Child::on_events(std::uint32_t) {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0) return;
  if (info.si_pid == 0) return;
  loop_.remove(watch_, pidfd_.get());
  pidfd_.reset();
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
  }
  const auto on_exit = std::move(on_exit_);
  on_exit(status);
}

}  // namespace mpb
