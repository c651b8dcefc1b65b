// The environment of the guarded program: what the guard itself was given, and in the place of what
// its own manager says to it what it says to the program: sd_listen_fds(3), sd_notify(3),
// sd_watchdog_enabled(3), and MPBROKER_HOLDER=guard.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>

#include "guard/kept_descriptors.hpp"

namespace mpb::guard {

/// What whoever started this process says in `variable`; 0: nothing.
long number_in(const char* variable);
/// Whether LISTEN_PID or WATCHDOG_PID means this process, or does not say whom.
bool is_for_us(const char* pid_variable);

class ProgramEnvironment {
 public:
  /// `watchdog_ms`: how often a sign of life is expected at least.
  ProgramEnvironment(char** own, std::int64_t watchdog_ms);
  ProgramEnvironment(const ProgramEnvironment&) = delete;
  ProgramEnvironment& operator=(const ProgramEnvironment&) = delete;

  void set_notify_address(const sockaddr_un& address, socklen_t length);
  /// In the process that becomes the program; all of its environment. Async-signal-safe.
  char** write(const KeptDescriptors& kept);

 private:
  char** all_;
};

}  // namespace mpb::guard
