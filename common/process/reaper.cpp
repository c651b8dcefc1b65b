#include "common/process/reaper.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "common/process/child.hpp"
#include "common/process/newborns.hpp"

namespace mpb {
namespace {

constexpr Duration kLater{100};

/// The first child that has ended, whoever started it; 0: there is none.
pid_t ended_child() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

}  // namespace

void Reaper::look_soon() {
  if (std::exchange(looking_, true)) return;
  loop_.after(kLater, [this] {
    looking_ = false;
    reap();
  });
}

void Reaper::reap() {
  while (const pid_t pid = ended_child()) {
    // It may hide others, but not for long.
    if (Child::is_one(pid) || may_be_newborn(pid)) return look_soon();
    if (::waitpid(pid, nullptr, WNOHANG) != pid) return look_soon();
    forget_newborn(pid);
  }
}

bool adopts_orphans() {
  int subreaper = 0;
  return ::getpid() == 1 || (::prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

}  // namespace mpb
