// The guarded program: started, watched, told signals, started again. It may die at any moment;
// what it has given to be kept, and the processes that it had, wait for the next one.
#pragma once

#include <sys/types.h>
#include <sys/un.h>

#include <csignal>
#include <cstdint>
#include <optional>

#include "guard/kept_descriptors.hpp"
#include "guard/program_environment.hpp"
#include "guard/restart_rules.hpp"

namespace mpb::guard {

/// The program's descriptor of this name has a datagram {pid_t, int} for each process adopted here
/// that has ended: its number, its status (wait(2)).
inline constexpr char kExitsName[] = "mpb-exits";

class Service {
 public:
  /// Takes everything that it will ever need; what is left out then is told and done without.
  Service(char** arguments, char** environment);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Until the service is over; the status (wait(2)) of the program's last end.
  int run();

 private:
  void take_passed_descriptors();
  void open_notify_socket();
  void open_exits();
  void start();
  [[noreturn]] void become_program();

  void take_signals();
  void note_stop(int number);
  void pass_on(int number);
  void take_notifications();
  void reap();
  void on_program_end(int status);
  void report_exit(pid_t pid, int status);
  void look_at_watchdog(std::int64_t now);
  [[nodiscard]] int wait_time(std::int64_t now) const;

  char** arguments_;
  int room_;  // own descriptors have this number or more
  sigset_t signals_before_{};
  int signals_ = -1;
  int notifications_ = -1;
  int exits_ = -1;
  int manager_ = -1;  // a socket towards whoever guards the guard; -1: nobody does
  std::int64_t watchdog_ms_;
  ProgramEnvironment variables_;

  pid_t program_ = 0;  // 0: it does not run
  std::optional<std::int64_t> start_at_;
  std::int64_t heard_ = 0;  // when it last gave a sign of life
  bool heard_ever_ = false;
  int stop_signal_ = 0;        // that says the service is to end; 0: it is not
  bool told_to_stop_ = false;  // the program that runs was
  std::optional<int> ended_;
  RestartRules rules_;
  KeptDescriptors kept_;
};

}  // namespace mpb::guard
