// What workers, and whatever belongs to them, try beside their channel, as processes of mpbroker's
// own user may: signals to mpbroker, its control socket, its limits.
#pragma once

#include <sys/resource.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "broker/workers/kinship.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"
#include "common/io/signals.hpp"

namespace mpb {

class Trespass {
 public:
  /// `eject` ends the worker of this pid, if it is one, and says why.
  using Eject = std::function<void(pid_t, const std::string& why)>;
  Trespass(const EventLoop& loop, const Kinship& kinship, Eject eject);

  /// False: it is a worker's, or there is no telling whose. One that goes on is ejected: while its
  /// signals wait, those of others are lost.
  [[nodiscard]] bool heeds(const Signal& signal);
  /// What is told to who has connected to the control socket and may not ask; empty: it may.
  std::string_view refuse_peer(int socket);
  /// Tells of limits of this process (setrlimit(2)) that somebody has lowered.
  void watch_limits();

 private:
  const EventLoop& loop_;
  const Kinship& kinship_;
  Eject eject_;
  std::array<rlimit, RLIM_NLIMITS> limits_{};
  RateBucket signals_;
  RateBucket peers_;
  RateBucket lowered_;
};

}  // namespace mpb
