#include "common/io/turn_guard.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdint>

namespace mpb {
namespace {

// Ignored by default: harmless to a process whose handler was taken away.
constexpr int kSignal = SIGURG;

timespec to_timespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {seconds.count(), (time - seconds).count()};
}

}  // namespace

volatile std::sig_atomic_t TurnGuard::count_ = 0;

void TurnGuard::interrupt(int) {
  count_ = count_ == SIG_ATOMIC_MAX ? 0 : count_ + 1;
}

TurnGuard::~TurnGuard() {
  if (timer_) ::timer_delete(*timer_);
}

bool TurnGuard::make() {
  struct sigaction action {};
  action.sa_handler = interrupt;  // and no SA_RESTART: the call ends
  ::sigaction(kSignal, &action, nullptr);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, kSignal);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event._sigev_un._tid = ::gettid();
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return false;
  timer_ = timer;
  return true;
}

void TurnGuard::arm(Clock::time_point now) {
  if (failed_) return;
  if (!timer_ && !make()) {
    failed_ = true;
    return;
  }
  const itimerspec times{to_timespec(kAgain), to_timespec(kLimit)};
  ::timer_settime(*timer_, 0, &times, nullptr);
  fires_at_ = now + kLimit;
}

void TurnGuard::rest() {
  fires_at_ = {};
  if (!timer_) return;
  const itimerspec never{};
  ::timer_settime(*timer_, 0, &never, nullptr);
}

}  // namespace mpb
