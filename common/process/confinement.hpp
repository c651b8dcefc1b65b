// What a child gives up between fork and exec, whatever program it becomes (sandbox = strict).
#pragma once

#include <linux/filter.h>

#include <memory>
#include <string>
#include <vector>

#include "common/process/forbidden_calls.hpp"
#include "common/process/landlock.hpp"

namespace mpb {

/// What this machine's kernel, or the container around it, does not give. Empty: it has all.
std::vector<std::string> missing_for_sandbox();
/// A line in the log, `sandbox`, when something is missing.
void log_missing_sandbox();
/// Whether this program does without it: a sanitizer needs what it forbids.
bool missing_all_of_sandbox();
/// Whether system calls can be filtered here.
bool can_filter_calls();

/// No program that this process runs gets it more rights, and those of root over other processes
/// and the machine are given up. Async-signal-safe. False: errno says why.
bool give_up_rights();

/// Installs `filter` (seccomp(2)) in all threads of this process; after give_up_rights().
/// Async-signal-safe. False: errno says why.
bool install_filter(const std::vector<sock_filter>& filter);

/// A child that is confined gets no rights by the programs that it runs, cannot look into or signal
/// processes that it did not start, and not use what no worker has a use for.
class Confinement {
 public:
  /// The one of this process, for all its children: made when first asked for, of what the kernel
  /// knows.
  static Result<std::shared_ptr<Confinement>> get();
  /// For a child that forks others: theirs is the same, but that whom they signal is left to
  /// themselves where Landlock does not tell.
  static Result<std::shared_ptr<Confinement>> of_zygote();
  /// In the child, for good. Async-signal-safe. False: errno says why.
  bool apply();

 private:
  Confinement() = default;
  static Result<std::shared_ptr<Confinement>> make();
  static std::vector<sock_filter> filter(SignalRule without_landlock);

  std::shared_ptr<const landlock::Ruleset> apart_;
  std::vector<sock_filter> filter_;  // with a mark for the child's pid
};

}  // namespace mpb
