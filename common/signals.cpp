#include "common/signals.hpp"

#include <sys/signalfd.h>

#include <csignal>
#include <stdexcept>
#include <utility>

namespace mpb {

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals,
                 std::function<void(int)> handle)
    : loop_(loop), handle_(std::move(handle)) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
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
    handle_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace mpb
