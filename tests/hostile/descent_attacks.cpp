// What a worker does through the processes that it starts, or as a process itself.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>

#include "common/io/endpoint.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

constexpr int kStorm = 200;                 // processes
constexpr long kMostGenerations = 500'000;  // should nobody end it

/// A process that holds all that the worker has: its channel, listener and clients. The test sees
/// by the pipe "alive" whether it is there.
[[noreturn]] void haunt(int pipe) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::signal(number, SIG_IGN);
  if (::write(pipe, "g", 1) != 1) ::_exit(1);
  while (true) ::pause();
}

/// For the processes of a worker, not for the worker: the pipe is closed on the way out.
template <class Body>
void start(Rogue& rogue, Body&& body) {
  ::signal(SIGCHLD, SIG_IGN);
  const UniqueFd pipe(::open(rogue.file("alive").c_str(), O_WRONLY | O_CLOEXEC));
  if (::fork() == 0) {
    body(pipe.get());
    ::_exit(0);
  }
}

void leave_daemon(Rogue& rogue) {
  start(rogue, [](int pipe) {
    ::setsid();
    if (::fork() != 0) return;
    ::setsid();
    haunt(pipe);
  });
}

void leave_family(Rogue& rogue) {
  start(rogue, [](int pipe) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < 3; ++i) {
      if (::fork() != 0) continue;
      ::setsid();
      if (::fork() == 0 && ::fork() != 0) haunt(pipe);
      haunt(pipe);
    }
    haunt(pipe);
  });
}

void leave_storm(Rogue& rogue) {
  start(rogue, [](int pipe) {
    for (int i = 0; i < kStorm; ++i) {
      if (::fork() == 0) haunt(pipe);
    }
  });
}

/// Each process of it lives for a moment: whoever looks for it finds one that has ended.
void leave_comet(Rogue& rogue) {
  start(rogue, [](int pipe) {
    if (::write(pipe, "g", 1) != 1) return;
    for (long i = 0; i < kMostGenerations; ++i) {
      const pid_t pid = ::fork();
      if (pid > 0) ::_exit(0);
      ::setsid();
    }
  });
}

/// To the broker: the worker gives its orphans away, and the broker gets them.
void give_away(Rogue& rogue) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  leave_daemon(rogue);
}

/// As the broker's child, not the worker's.
void beget_sibling(Rogue& rogue) {
  const UniqueFd pipe(::open(rogue.file("alive").c_str(), O_WRONLY | O_CLOEXEC));
  const auto flags = static_cast<unsigned long>(CLONE_PARENT | SIGCHLD);
  if (::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr) == 0) haunt(pipe.get());
}

void violate(Rogue& rogue) {
  rogue.send(raw_header(channel::kVersion, 0x14, 0, 0, 0));
}

template <void (*leave)(Rogue&)>
void leave_and_violate(Rogue& rogue) {
  leave(rogue);
  rogue.await_file("haunted");
  violate(rogue);
}

template <void (*leave)(Rogue&)>
void leave_and_exit(Rogue& rogue) {
  leave(rogue);
  rogue.await_file("haunted");
  ::_exit(0);
}

// --- signals, the control socket, limits ---------------------------------------------------------

void signal_broker(Rogue&) {
  const pid_t broker = ::getppid();
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    ::kill(broker, number);
    ::sigqueue(broker, number, {});
  }
}

void flood_signals(Rogue& rogue) {
  const pid_t broker = ::getppid();
  while (!rogue.cut_off()) {
    ::kill(broker, SIGTERM);
    rogue.handle_one(1);
  }
}

std::string ask_to_stop(const std::string& path) {
  const auto endpoint = parse_endpoint("unix:" + path);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!endpoint || ::connect(socket.get(), endpoint->data(), endpoint->length) != 0) return "none";
  constexpr std::string_view kStop = "{\"command\":\"stop\"}\n";
  ::send(socket.get(), kStop.data(), kStop.size(), MSG_NOSIGNAL);
  std::string answer(4096, '\0');
  const ssize_t size = ::recv(socket.get(), answer.data(), answer.size(), 0);
  answer.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return answer;
}

std::string text_of(const std::string& path) {
  return (std::ostringstream() << std::ifstream(path).rdbuf()).str();
}

void ask_control(Rogue& rogue) {
  std::ofstream(rogue.file("answer")) << ask_to_stop(text_of(rogue.file("control")));
}

/// Through a descendant that no longer looks like one.
void ask_control_by_daemon(Rogue& rogue) {
  start(rogue, [&](int pipe) {
    ::setsid();
    if (::fork() != 0) return;
    ask_control(rogue);
    haunt(pipe);
  });
  rogue.await_file("haunted");
}

void tell_environment(Rogue& rogue) {
  std::ofstream file(rogue.file("answer"));
  for (char** variable = environ; *variable != nullptr; ++variable) file << *variable << '\n';
}

void lower_limits(Rogue&) {
  const rlimit limit{64, 64};
  ::prlimit(::getppid(), RLIMIT_CORE, &limit, nullptr);
}

constexpr Attack kAttacks[] = {
    {"daemon-then-violation", Stage::kOnline, leave_and_violate<leave_daemon>},
    {"family-then-violation", Stage::kOnline, leave_and_violate<leave_family>},
    {"storm-then-violation", Stage::kOnline, leave_and_violate<leave_storm>},
    {"comet-then-violation", Stage::kOnline, leave_and_violate<leave_comet>},
    {"daemon-then-exit", Stage::kOnline, leave_and_exit<leave_daemon>},
    {"family-then-exit", Stage::kOnline, leave_and_exit<leave_family>},
    {"leave-daemon", Stage::kOnline, leave_daemon},
    {"give-away", Stage::kOnline, give_away},
    {"beget-sibling", Stage::kOnline, beget_sibling},
    {"signal-broker", Stage::kOnline, signal_broker},
    {"flood-signals", Stage::kOnline, flood_signals},
    {"ask-control", Stage::kOnline, ask_control},
    {"ask-control-by-daemon", Stage::kOnline, ask_control_by_daemon},
    {"tell-environment", Stage::kOnline, tell_environment},
    {"lower-limits", Stage::kOnline, lower_limits},
};

}  // namespace

std::span<const Attack> descent_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
