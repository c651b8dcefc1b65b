#include "guard/service.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "guard/notification.hpp"
#include "guard/system.hpp"

namespace mpb::guard {
namespace {

constexpr int kOwnDescriptors = 8;
constexpr std::int64_t kWatchdog = 10'000;    // ms without a sign of life: it hangs
constexpr std::int64_t kStartLimit = 30'000;  // the same until the first one
constexpr int kExecuteFailed = 127;           // as a shell has it

constexpr int kPassedOn[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

std::int64_t watchdog_interval() {
  const long wanted = is_for_us("WATCHDOG_PID") ? number_in("WATCHDOG_USEC") / 1'000 : 0;
  return wanted > 0 ? std::min<std::int64_t>(wanted, kWatchdog) : kWatchdog;
}

/// The numbers from here on are the guard's own.
int first_own_descriptor() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kMost = KeptDescriptors::kFirst + KeptDescriptors::kMost + kOwnDescriptors;
  return static_cast<int>(std::min(limit.rlim_cur, kMost)) - kOwnDescriptors;
}

bool is_stop(int signal) {
  return signal == SIGTERM || signal == SIGINT;
}

/// `descriptor`, moved to a number that is not for those that are kept.
int move_to(int room, int descriptor) {
  if (descriptor < 0) return descriptor;
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, room);
  ::close(descriptor);
  return moved;
}

/// A socket that is connected to $NOTIFY_SOCKET; -1: there is none.
int connect_to_manager() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  const std::size_t size = path == nullptr ? 0 : std::strlen(path);
  if (size < 2 || size >= sizeof address.sun_path) return -1;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int made = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  if (made >= 0 && ::connect(made, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    ::close(made);
    return -1;
  }
  return made;
}

struct Exit {
  pid_t pid;
  int status;
};

void describe(int status, char* text, std::size_t room) {
  if (WIFSIGNALED(status)) {
    std::snprintf(text, room, "signal %d", WTERMSIG(status));
  } else {
    std::snprintf(text, room, "exit code %d", WEXITSTATUS(status));
  }
}

}  // namespace

Service::Service(char** arguments, char** environment)
    : arguments_(arguments),
      watchdog_ms_(watchdog_interval()),
      variables_(environment, watchdog_ms_) {
  remember_strangers();
  raise_descriptor_limit();
  room_ = first_own_descriptor();
  take_passed_descriptors();
  sigset_t taken;
  ::sigemptyset(&taken);
  ::sigaddset(&taken, SIGCHLD);
  for (const int number : kPassedOn) ::sigaddset(&taken, number);
  ::sigprocmask(SIG_BLOCK, &taken, &signals_before_);
  signals_ = move_to(room_, ::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  manager_ = move_to(room_, connect_to_manager());
  open_notify_socket();
  open_exits();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_DUMPABLE, 0);  // nobody takes a kept descriptor out of this process
  lower_oom_score();
}

void Service::take_passed_descriptors() {
  const bool ours = std::getenv("LISTEN_PID") != nullptr && is_for_us("LISTEN_PID");
  const long count = ours ? std::clamp(number_in("LISTEN_FDS"), 0L, long{room_} - 3) : 0;
  const char* names = ours ? std::getenv("LISTEN_FDNAMES") : nullptr;
  kept_.begin(static_cast<std::size_t>(count), names == nullptr ? "" : names, room_);
  ::close_range(static_cast<unsigned>(kept_.next()), ~0U, 0);
  for (int fd = KeptDescriptors::kFirst; fd < kept_.next(); ++fd) ::fcntl(fd, F_SETFD, 0);
}

/// Of an address that the kernel chooses: it is in no folder that could be full or forbidden. What
/// does not come from the program itself is not heeded.
void Service::open_notify_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);
  const int on = 1;
  notifications_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ::setsockopt(notifications_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  ::bind(notifications_, reinterpret_cast<const sockaddr*>(&address), length);
  length = sizeof address;
  ::getsockname(notifications_, reinterpret_cast<sockaddr*>(&address), &length);
  notifications_ = move_to(room_, notifications_);
  variables_.set_notify_address(address, length);
}

void Service::open_exits() {
  int ends[2];
  constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, ends) != 0) return;
  exits_ = move_to(room_, ends[1]);
  if (ends[0] != kept_.next() || !kept_.keep(kExitsName)) {
    ::close(ends[0]);
    return;
  }
  ::fcntl(ends[0], F_SETFD, 0);
}

void Service::start() {
  start_at_.reset();
  heard_ever_ = false;
  told_to_stop_ = false;
  heard_ = now_ms();
  const pid_t guard = ::getpid();
  const pid_t made = ::fork();
  if (made == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != guard) ::_exit(0);
    become_program();
  }
  if (made < 0) {
    tell("error", "event=start.failed why=\"%s\"", std::strerror(errno));
    start_at_ = now_ms() + 1'000;
    return;
  }
  program_ = made;
}

void Service::become_program() {
  char** const environment = variables_.write(kept_);
  restore_oom_score();
  restore_descriptor_limit();
  ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
  ::execve(arguments_[0], arguments_, environment);
  tell("error", "event=start.failed program=\"%s\" why=\"%s\"", arguments_[0],
       std::strerror(errno));
  ::_exit(kExecuteFailed);
}

int Service::run() {
  start();
  while (!ended_) {
    const std::int64_t before = now_ms();
    const int wait = wait_time(before);
    pollfd watched[] = {{signals_, POLLIN, 0}, {notifications_, POLLIN, 0}};
    ::poll(watched, std::size(watched), wait);
    const std::int64_t now = now_ms();
    // Stopped or suspended itself, it cannot say that the program was silent meanwhile.
    constexpr std::int64_t kLate = 1'000;
    if (wait >= 0 && now > before + wait + kLate) heard_ = now;
    take_notifications();
    take_signals();
    if (ended_) break;
    if (program_ != 0) look_at_watchdog(now);
    if (program_ == 0 && start_at_ && *start_at_ <= now_ms()) start();
  }
  return *ended_;
}

int Service::wait_time(std::int64_t now) const {
  const std::int64_t limit = heard_ever_ ? watchdog_ms_ : kStartLimit;
  const std::int64_t next = program_ != 0 ? heard_ + limit : start_at_.value_or(now);
  return static_cast<int>(std::clamp<std::int64_t>(next - now, 0, kStartLimit));
}

void Service::look_at_watchdog(std::int64_t now) {
  if (now < heard_ + (heard_ever_ ? watchdog_ms_ : kStartLimit)) return;
  tell("error", "event=hung pid=%d silent=%lldms help=\"it is killed, and started again\"",
       program_, static_cast<long long>(now - heard_));
  ::kill(program_, SIGKILL);
  heard_ = now;
}

void Service::take_signals() {
  signalfd_siginfo told{};
  while (::read(signals_, &told, sizeof told) == sizeof told) {
    const int number = static_cast<int>(told.ssi_signo);
    if (number == SIGCHLD) continue;
    if (told.ssi_code == SI_KERNEL) {
      // A terminal's, which has told the whole process group: the program knows.
      if (is_stop(number)) note_stop(number);
    } else if (const auto sender = static_cast<pid_t>(told.ssi_pid);
               sender != 0 && is_descendant(sender)) {
      tell("warning",
           "event=signal.ignored signal=%d sender=%d why=\"it is one of the service's own "
           "processes\"",
           number, sender);
    } else {
      pass_on(number);
    }
  }
  reap();
}

void Service::note_stop(int number) {
  stop_signal_ = number;
  told_to_stop_ = true;
}

void Service::pass_on(int number) {
  if (is_stop(number)) note_stop(number);
  if (program_ != 0) {
    ::kill(program_, number);
  } else if (is_stop(number)) {
    ended_ = 0;  // those that it has left see the end of what is kept here
  }
}

void Service::take_notifications() {
  char text[kMaxNotification];
  char rest[kMaxNotification];
  constexpr std::size_t kMostPassed = 253;  // SCM_MAX_FD
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kMostPassed * sizeof(int))];
  while (true) {
    iovec data{text, sizeof text};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(notifications_, &header, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    pid_t sender = 0;
    int first = -1;
    std::size_t count = 0;
    for (auto* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_level != SOL_SOCKET) continue;
      if (part->cmsg_type == SCM_CREDENTIALS) {
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
        sender = credentials.pid;
      } else if (part->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&first, CMSG_DATA(part), sizeof first);
        count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      }
    }
    const bool whole = (header.msg_flags & MSG_TRUNC) == 0 && sender == program_ && program_ != 0;
    const Notification told = read_notification(
        whole ? std::string_view(text, static_cast<std::size_t>(size)) : std::string_view{}, rest);
    // They came one behind the other, from the first free number on.
    const std::size_t kept_before = kept_.count();
    if (told.stores && first == kept_.next()) {
      for (std::size_t i = 0; i < count && kept_.keep(told.name); ++i) {
      }
      if (kept_.count() != kept_before + count) {
        tell("error",
             "event=store.full kept=%zu help=\"raise RLIMIT_NOFILE (LimitNOFILE=), or run "
             "fewer workers\"",
             kept_.count());
      }
    }
    for (std::size_t i = kept_.count() - kept_before; i < count; ++i) {
      ::close(first + static_cast<int>(i));
    }
    if (kept_.count() > kept_before) rules_.on_kept();
    if (told.removes && !told.name.empty()) kept_.forget(told.name);
    if (!whole) continue;
    heard_ = now_ms();
    heard_ever_ = true;
    if (told.stopping) told_to_stop_ = true;  // it knows, also if a program before it was told
    if (told.ready) {
      rules_.on_ready(heard_);
      if (stop_signal_ != 0 && !told_to_stop_) pass_on(stop_signal_);
    }
    if (told.rest > 0 && manager_ >= 0) ::send(manager_, rest, told.rest, MSG_NOSIGNAL);
  }
}

void Service::reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == program_) {
      on_program_end(status);
    } else {
      report_exit(pid, status);
    }
  }
}

void Service::on_program_end(int status) {
  take_notifications();  // what it said before
  const pid_t pid = program_;
  program_ = 0;
  const auto delay = rules_.on_end(status, now_ms(), stop_signal_ != 0);
  if (!delay) {
    ended_ = status;
    return;
  }
  char how[32];
  describe(status, how, sizeof how);
  tell("error", "event=restart pid=%d status=\"%s\" in=%lldms kept=%zu", pid, how,
       static_cast<long long>(*delay), kept_.count());
  start_at_ = now_ms() + *delay;
}

void Service::report_exit(pid_t pid, int status) {
  const Exit told{pid, status};
  ::send(exits_, &told, sizeof told, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace mpb::guard
