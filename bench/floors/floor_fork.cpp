// The floor of a process for each client: processes that share a listener fork a child for each
// client, which answers it and ends. Nothing is exec'd, confined or supervised.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "bench/floors/control_session.hpp"
#include "bench/floors/fd_channel.hpp"
#include "bench/floors/floor_process.hpp"

namespace mpb::bench {
namespace {

constexpr Option<FloorOptions> kOptions[] = {kListenOption, kWorkersOption,
                                             help_option<FloorOptions>(kFloorGroup)};
constexpr Program<FloorOptions> kProgram{
    "floor_fork", kOptions,
    "floor_fork: a bare server of the control protocol that forks for each client; linked\n"
    "dynamically, with all symbols bound at its start (-z now)\n"};
constexpr int kAcceptsPerTurn = 16;

bool flush(int client, Replies& replies) {
  std::string_view bytes = replies.bytes();
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  replies.clear();
  return true;
}

/// False: the client was rejected, or has gone.
bool answer(int client, ControlSession& session, std::string_view bytes, ServedBy self) {
  Replies replies;
  while (true) {
    const auto step = session.advance(bytes, self, replies);
    const bool added = step != ControlSession::Step::kOwner || replies.add(kGreeting);
    if (step == ControlSession::Step::kOwner && added) continue;
    if (!flush(client, replies)) return false;
    if (!added) replies.add(kGreeting);
    if (step == ControlSession::Step::kNeedMore) return true;
    if (step == ControlSession::Step::kReject) return false;
  }
}

[[noreturn]] void serve(int client, int slot) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ControlSession session;
  char buffer[kReadBytes];
  while (true) {
    const ssize_t size = ::recv(client, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    const std::string_view bytes(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    if (bytes.empty() || !answer(client, session, bytes, {slot, ::getpid()})) ::_exit(0);
  }
}

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

/// A child's descriptors are copies: what it does not use ends with it.
void accept_clients(int listener, int slot) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    const pid_t pid = ::fork();
    if (pid < 0) fail("fork");
    if (pid == 0) serve(client.get(), slot);
  }
}

/// Its children's time is counted as its own once it has waited for them.
void reap(int signals) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

[[noreturn]] void run_worker(int slot, const UniqueFd& listener) {
  const UniqueFd signals = end_signals();
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  watch(epoll.get(), listener.get(), EPOLLIN | EPOLLEXCLUSIVE);
  watch(epoll.get(), signals.get(), EPOLLIN);
  while (true) {
    epoll_event events[2];
    const int count = ::epoll_wait(epoll.get(), events, 2, -1);
    for (int i = 0; i < count; ++i) {
      events[i].data.fd == listener.get() ? accept_clients(listener.get(), slot)
                                          : reap(signals.get());
    }
  }
}

}  // namespace
}  // namespace mpb::bench

int main(int argc, char** argv) {
  using namespace mpb::bench;
  return run_floor(argc, argv, kProgram, run_worker);
}
