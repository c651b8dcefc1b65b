// How processes ended that are not this one's children: whoever waits for them sends it, a datagram
// for each: u32 process id, i32 wait status (wait(2)).
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

#include "common/base/keyed_map.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class ExitReports final : private EventHandler {
 public:
  explicit ExitReports(EventLoop& loop) : loop_(loop) {}
  ExitReports(const ExitReports&) = delete;
  ExitReports& operator=(const ExitReports&) = delete;
  ~ExitReports();

  Status open(UniqueFd socket);
  /// There are such reports: who waits for one may do so for a moment.
  [[nodiscard]] bool come() const { return socket_.valid(); }
  /// The wait status of a process that has ended, once.
  std::optional<int> take(pid_t pid);

 private:
  void on_events(std::uint32_t) override { read(); }
  void read();

  EventLoop& loop_;
  UniqueFd socket_;
  Watch watch_;
  KeyedMap<pid_t, int> ended_;
};

}  // namespace mpb
