#include "tests/hostile/captured_calls.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <thread>

#include "common/base/unique_fd.hpp"

extern char** environ;

namespace mpb::hostile {
namespace {

using Target = const CallTarget&;

int outcome(long result) {
  return result < 0 ? errno : 0;
}

template <class... Arguments>
int call(long number, Arguments... arguments) {
  return outcome(::syscall(number, arguments...));
}

UniqueFd opened(const std::string& path, int flags = O_RDONLY) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

int open_of(Target target, const char* file) {
  return opened("/proc/" + std::to_string(target.pid) + "/" + file) ? 0 : errno;
}

/// Whom the kernel kills first when memory runs out; written as it is.
int write_oom_score(Target target) {
  const UniqueFd file = opened("/proc/" + std::to_string(target.pid) + "/oom_score_adj", O_WRONLY);
  return file ? 0 : errno;
}

int read_memory(Target target) {
  char byte = 0;
  const iovec here{&byte, 1};
  return outcome(::process_vm_readv(target.pid, &here, 1, &here, 1, 0));
}

int lower_limit(Target target) {
  const rlimit limit{64, 64};
  return call(SYS_prlimit64, target.pid, RLIMIT_NOFILE, &limit, nullptr);
}

int send_signals_about_channel(Target target) {
  return outcome(::fcntl(3, F_SETOWN, target.pid));
}

int take_descriptor(Target target) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, target.pid, 0)));
  return process ? call(SYS_pidfd_getfd, process.get(), 0, 0) : errno;
}

int signal_by_descriptor(Target target) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, target.pid, 0)));
  return process ? call(SYS_pidfd_send_signal, process.get(), 0, 0, 0) : errno;
}

int schedule(Target target) {
  const sched_param parameters{};
  return outcome(::sched_setscheduler(target.pid, SCHED_IDLE, &parameters));
}

int bind_to_cpu(Target target) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  return outcome(::sched_setaffinity(target.pid, sizeof cpus, &cpus));
}

constexpr CapturedCall kIntoProcesses[] = {
    {"ptrace", [](Target t) { return outcome(::ptrace(PTRACE_SEIZE, t.pid, nullptr, nullptr)); }},
    {"process_vm_readv", read_memory},
    {"proc-mem", [](Target t) { return open_of(t, "mem"); }},
    {"proc-environ", [](Target t) { return open_of(t, "environ"); }},
    {"proc-fd", [](Target t) { return open_of(t, "fd/0"); }},
    {"oom-score", write_oom_score},
    {"f-setown", send_signals_about_channel},
    {"pidfd_getfd", take_descriptor},
    {"kcmp", [](Target t) { return call(SYS_kcmp, ::getpid(), t.pid, 1, 0, 0); }},
    {"prlimit", lower_limit},
    {"kill", [](Target t) { return outcome(::kill(t.pid, 0)); }},
    {"pidfd_send_signal", signal_by_descriptor},
    {"tgkill", [](Target t) { return call(SYS_tgkill, t.pid, t.pid, 0); }},
    {"setpriority",
     [](Target t) { return outcome(::setpriority(PRIO_PROCESS, static_cast<id_t>(t.pid), 1)); }},
    {"sched_setscheduler", schedule},
    {"sched_setaffinity", bind_to_cpu},
    {"ioprio_set", [](Target t) { return call(SYS_ioprio_set, 1, t.pid, 3 << 13); }},
};

int open_ring(Target) {
  std::array<char, 256> parameters{};
  return call(SYS_io_uring_setup, 1, parameters.data());
}

int attach_filter(Target) {
  const UniqueFd socket = opened("/dev/null");
  sock_filter all{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &all};
  return outcome(
      ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

/// Such arguments as the kernel refuses otherwise, with another error.
constexpr long kNone = -1;

constexpr CapturedCall kIntoKernel[] = {
    {"io_uring_setup", open_ring},
    {"bpf", [](Target) { return call(SYS_bpf, kNone, 0, 0); }},
    {"perf_event_open", [](Target) { return call(SYS_perf_event_open, 0, 0, -1, -1, 0); }},
    {"userfaultfd", [](Target) { return call(SYS_userfaultfd, kNone); }},
    {"keyctl", [](Target) { return call(SYS_keyctl, kNone); }},
    {"add_key", [](Target) { return call(SYS_add_key, 0, 0, 0, 0, 0); }},
    {"personality", [](Target) { return call(SYS_personality, 0x0040000); }},
    {"unshare", [](Target) { return outcome(::unshare(CLONE_NEWUSER)); }},
    {"setns", [](Target) { return call(SYS_setns, kNone, 0); }},
    {"clone-namespace",
     [](Target) { return call(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0); }},
    {"mount", [](Target) { return call(SYS_mount, 0, 0, 0, 0, 0); }},
    {"chroot", [](Target) { return outcome(::chroot("/nowhere")); }},
    {"open_by_handle_at", [](Target) { return call(SYS_open_by_handle_at, kNone, 0, 0); }},
    {"init_module", [](Target) { return call(SYS_init_module, 0, 0, 0); }},
    {"kexec_load", [](Target) { return call(SYS_kexec_load, 0, kNone, 0, kNone); }},
    {"reboot", [](Target) { return call(SYS_reboot, 0, 0, 0, 0); }},
    {"settimeofday", [](Target) { return call(SYS_settimeofday, kNone, kNone); }},
    {"attach-filter", attach_filter},
    {"type-keys", [](Target) { return outcome(::ioctl(2, TIOCSTI, "x")); }},
};

int start_process(Target) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  if (child < 0) return errno;
  ::waitpid(child, nullptr, 0);
  return 0;
}

int start_program(Target) {
  const char* const words[] = {"/bin/true", nullptr};
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, words[0], nullptr, nullptr, const_cast<char**>(words), environ);
  if (error != 0) return error;
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? 0 : ECHILD;
}

int start_thread(Target) {
  try {
    std::thread([] {}).join();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

sockaddr_in loopback_port(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int connect_to(Target target) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  const sockaddr_in address = loopback_port(std::stoi(target.place));
  return outcome(
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int listen_anywhere(Target) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  const sockaddr_in address = loopback_port(0);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno;
  }
  return outcome(::listen(socket.get(), 1));
}

int connect_to_abstract(Target target) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, target.place.data(), target.place.size());
  const auto size = offsetof(sockaddr_un, sun_path) + 1 + target.place.size();
  return outcome(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                           static_cast<socklen_t>(size)));
}

int signal_itself(Target) {
  ::signal(SIGUSR1, SIG_IGN);
  return ::raise(SIGUSR1) == 0 ? outcome(::kill(::getpid(), 0)) : errno;
}

constexpr CapturedCall kToDeclare[] = {
    {"fork", start_process},
    {"exec", [](Target) { return outcome(::execl("/nowhere", "/nowhere", nullptr)); }},
    {"program", start_program},
    {"socket", [](Target) { return UniqueFd(::socket(AF_INET, SOCK_STREAM, 0)) ? 0 : errno; }},
    {"raw-socket", [](Target) { return UniqueFd(::socket(AF_INET, SOCK_RAW, 1)) ? 0 : errno; }},
    {"packet-socket",
     [](Target) { return UniqueFd(::socket(AF_PACKET, SOCK_RAW, 0)) ? 0 : errno; }},
    {"connect", connect_to},
    {"connect-abstract", connect_to_abstract},
    {"listen", listen_anywhere},
    {"read", [](Target t) { return opened(t.place) ? 0 : errno; }},
    {"write", [](Target t) { return opened(t.place, O_WRONLY | O_CREAT) ? 0 : errno; }},
    {"unlink", [](Target t) { return outcome(::unlink(t.place.c_str())); }},
    {"chmod", [](Target t) { return outcome(::chmod(t.place.c_str(), 0600)); }},
    {"setuid", [](Target) { return call(SYS_setuid, 0); }},
    {"pidfd_open", [](Target t) { return call(SYS_pidfd_open, t.pid, 0); }},
    {"no-dumpable", [](Target) { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
    {"thread", start_thread},
    {"itself", signal_itself},
};

}  // namespace

std::span<const CapturedCall> calls_into_processes() {
  return kIntoProcesses;
}

std::span<const CapturedCall> calls_into_kernel() {
  return kIntoKernel;
}

std::span<const CapturedCall> calls_to_declare() {
  return kToDeclare;
}

const CapturedCall* find_captured_call(std::string_view name) {
  for (const auto calls : {calls_into_processes(), calls_into_kernel(), calls_to_declare()}) {
    for (const CapturedCall& call : calls) {
      if (call.name == name) return &call;
    }
  }
  return nullptr;
}

}  // namespace mpb::hostile
