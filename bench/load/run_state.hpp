// What the threads of a run share with its conductor.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"

namespace mpb::load {

/// Orders of the conductor; each includes the ones before it.
enum class Order : int {
  kRun,
  kMove,    // clients that are held go on to their second wave
  kFinish,  // start none, end those that are held, let the others come to their end
  kAbort,   // end all now
};

/// Wakes a thread that waits for it in its epoll set or in poll().
class Wakeup {
 public:
  Wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  [[nodiscard]] int fd() const { return fd_.get(); }
  void wake() const { ::eventfd_write(fd_.get(), 1); }
  void clear() const {
    eventfd_t ignored = 0;
    ::eventfd_read(fd_.get(), &ignored);
  }

 private:
  UniqueFd fd_;
};

struct RunState {
  TimePoint start;  // of all threads; set before they run
  TimePoint end;    // none is due from here on; set before kFinish is given, for good
  std::atomic<Order> order{Order::kRun};
  Wakeup conductor;
};

/// Written by one thread, once per turn; read by the conductor.
struct alignas(64) Progress {
  static constexpr int kDone = INT_MAX;

  std::atomic<std::uint64_t> started{0};
  std::atomic<std::uint64_t> served{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> live{0};
  std::atomic<int> waves_settled{0};  // how often all its clients were answered; kDone: has ended
};

}  // namespace mpb::load
