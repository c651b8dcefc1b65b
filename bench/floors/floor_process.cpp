#include "bench/floors/floor_process.hpp"

#include <fmt/ostream.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <boost/program_options.hpp>

#include "common/io/endpoint.hpp"

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

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit(RLIMIT_NOFILE)");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit(RLIMIT_NOFILE)");
}

}  // namespace

void fail(const std::string& what) {
  std::perror(what.c_str());
  std::_Exit(1);
}

FloorOptions read_options(int argc, char** argv, const char* summary,
                          const boost::program_options::options_description& more, int workers) {
  namespace po = boost::program_options;
  FloorOptions options;
  options.workers = workers;
  po::options_description all(summary);
  all.add_options()("help,h", "this text")(
      "listen", po::value(&options.listen)->default_value(options.listen),
      "address; port 0 is a free one");
  if (workers != kOneProcess) {
    all.add_options()("workers", po::value(&options.workers)->default_value(workers), "1 to 256");
  }
  all.add(more);
  try {
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv).options(all).positional({}).run(), values);
    po::notify(values);
    if (values.count("help") > 0) {
      fmt::print("{}", fmt::streamed(all));
      std::exit(0);
    }
    if (workers != kOneProcess && (options.workers < 1 || options.workers > 256))
      throw po::error("--workers is 1 to 256");
  } catch (const po::error& error) {
    fmt::print(stderr, "{}: {}\n", argv[0], error.what());
    std::exit(2);
  }
  return options;
}

UniqueFd start_floor(const FloorOptions& options) {
  end_with_parent(SIGTERM, ::getppid());
  raise_descriptor_limit();
  auto endpoint = parse_endpoint(options.listen);
  if (!endpoint) {
    fmt::print(stderr, "--listen: {}\n", endpoint.error().text);
    std::exit(2);
  }
  auto listener = listen_on(*endpoint, kBacklog);
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

}  // namespace mpb::bench
