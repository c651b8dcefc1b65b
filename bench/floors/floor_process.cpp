#include "bench/floors/floor_process.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "common/io/endpoint.hpp"
#include "common/process/process.hpp"

namespace mpb::bench {
namespace {

constexpr int kBacklog = 4096;

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGCHLD);
  return set;
}

/// `parent` is who started us: it may have ended before prctl took effect.
void end_with_parent(int signal, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, signal) != 0) fail("prctl(PR_SET_PDEATHSIG)");
  if (::getppid() != parent) std::_Exit(1);
}

}  // namespace

void fail(const std::string& what) {
  std::perror(what.c_str());
  std::_Exit(1);
}

FloorOptions read_options(int argc, char** argv, const Program<FloorOptions>& program) {
  const auto line = read_program_line(program, std::vector<std::string>(argv + 1, argv + argc));
  if (!line) fail_usage(program, line.error());
  if (line->print.empty()) return line->settings;
  fmt::print("{}", line->print);
  std::exit(0);
}

void fail_usage(const Program<FloorOptions>& program, const Error& error) {
  fmt::print(stderr, "{}: {}\n", program.name, error.text);
  std::exit(2);
}

UniqueFd start_floor(const FloorOptions& options) {
  end_with_parent(SIGTERM, ::getppid());
  raise_descriptor_limit();
  auto listener = listen_on(options.listen, kBacklog);
  if (!listener) {
    fmt::print(stderr, "{}\n", listener.error().text);
    std::exit(1);
  }
  // Accepted sockets inherit it on Linux, which saves a system call for each client.
  const int on = 1;
  ::setsockopt(listener->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::move(*listener);
}

void announce(const UniqueFd& listener) {
  const auto bound = local_endpoint(listener.get());
  if (!bound) fail("the listener's address");
  fmt::print("listening {}\n", bound->to_string());
  std::fflush(stdout);
}

void Workers::start(const std::function<void()>& body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork");
  if (pid > 0) {
    pids_.push_back(pid);
    return;
  }
  end_with_parent(SIGKILL, parent);
  const sigset_t set = ending_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  body();
  std::_Exit(1);
}

void Workers::end() {
  for (const int pid : pids_) ::kill(pid, SIGKILL);
  for (const int pid : pids_) ::waitpid(pid, nullptr, 0);
  pids_.clear();
}

UniqueFd end_signals() {
  const sigset_t set = ending_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) fail("signalfd");
  return signals;
}

int wait_for_end(int signals) {
  pollfd wait{signals, POLLIN, 0};
  while (::poll(&wait, 1, -1) < 0 && errno == EINTR) {
  }
  signalfd_siginfo info{};
  if (::read(signals, &info, sizeof info) != sizeof info) fail("reading a signal");
  if (info.ssi_signo != SIGCHLD) return 0;
  fmt::print(stderr, "worker process {} ended (status {})\n", info.ssi_pid, info.ssi_status);
  return 1;
}

int run_floor(int argc, char** argv, const Program<FloorOptions>& program,
              const std::function<void(int slot, const UniqueFd& listener)>& body) {
  const FloorOptions options = read_options(argc, argv, program);
  const UniqueFd signals = end_signals();
  const UniqueFd listener = start_floor(options);
  Workers workers;
  for (int slot = 0; slot < options.workers; ++slot) {
    workers.start([&] { body(slot, listener); });
  }
  announce(listener);
  const int code = wait_for_end(signals.get());
  workers.end();
  return code;
}

}  // namespace mpb::bench
