#include "common/io/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace mpb {
namespace {

constexpr std::array kEnding{SIGTERM, SIGINT};
// SIGIO: of a socket that another process shares and has made to raise it.
constexpr std::array kIgnored{SIGPIPE, SIGXFSZ, SIGTTOU, SIGIO};

template <class... Numbers>
sigset_t set_of(const Numbers&... numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  (::sigaddset(&set, numbers), ...);
  return set;
}

void end_before_anything_began(int) {
  ::_exit(0);
}

}  // namespace

void prepare_signals() {
  for (const int number : kIgnored) std::signal(number, SIG_IGN);
  // Who ignores it never learns how a child ended, and passes that on to the programs it starts.
  std::signal(SIGCHLD, SIG_DFL);
  for (const int number : kEnding) std::signal(number, end_before_anything_began);
  const sigset_t waiting = set_of(SIGHUP);
  ::sigprocmask(SIG_SETMASK, &waiting, nullptr);
}

void restore_signals(bool hold_requests) {
  const sigset_t held = set_of(SIGTERM, SIGINT, SIGHUP);
  const sigset_t none = set_of();
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
  for (const int number : kIgnored) std::signal(number, SIG_DFL);
  for (const int number : kEnding) std::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, hold_requests ? &held : &none, nullptr);
}

AllSignalsBlocked::AllSignalsBlocked() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}

AllSignalsBlocked::~AllSignalsBlocked() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals,
                 std::function<void(const Signal&)> handle)
    : loop_(loop), handle_(std::move(handle)) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw std::runtime_error(system_error("signalfd").text);
  watch_ = loop_.add(fd_.get(), EPOLLIN, *this).value();
}

Signals::~Signals() {
  loop_.remove(watch_, fd_.get());
}

void Signals::on_events(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
    // What the kernel itself says of who has called kill(2) or tgkill(2) is true.
    const bool told =
        info.ssi_code == SI_USER || info.ssi_code == SI_TKILL || info.ssi_code == SI_KERNEL;
    handle_({static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid), told});
  }
}

}  // namespace mpb
