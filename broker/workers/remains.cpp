#include "broker/workers/remains.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "common/log/log.hpp"
#include "common/process/child.hpp"
#include "common/process/descent.hpp"
#include "common/process/descriptor_store.hpp"
#include "common/process/newborns.hpp"

namespace mpb {
namespace {

constexpr int kRounds = 16;                    // of one step: what ends gives its own children away
constexpr std::chrono::milliseconds kStep{2};  // may take no longer
constexpr Duration kPause{5};                  // between two steps
constexpr unsigned kHurried = 200;             // steps; then somebody makes more all the time
constexpr Duration kLongPause{50};
constexpr Duration kPatience{2'000};  // at the end: what the kernel cannot end stays
constexpr RateLimit kLines{10, Duration{1'000}};

}  // namespace

Remains::Remains(EventLoop& loop, const Kinship& kinship)
    : loop_(loop), kinship_(kinship), guard_(holder() == Holder::kGuard ? ::getppid() : 0) {}

void Remains::on_end(Slot slot) {
  cgroups_.end(slot);
  sweep();
}

bool Remains::end_strays_of_guard() {
  // It is given what those workers leave that a broker before this one has started. It has no other
  // children, and waits for them.
  if (guard_ == 0 || ::getppid() != guard_) return true;
  bool all_gone = true;
  for (const pid_t pid : children_of(guard_)) {
    if (Child::is_one(pid) || may_be_newborn(pid) || !has_mark_of_descent(pid)) continue;
    all_gone = false;
    end(pid);
  }
  return all_gone;
}

void Remains::end(pid_t pid) {
  ::kill(pid, SIGKILL);
  if (killed_.insert(pid).second) ++untold_;
}

bool Remains::sweep_once(TimePoint until) {
  bool all_gone = end_strays_of_guard();
  for (const pid_t pid : own_children()) {
    if (!kinship_.is_orphan(pid)) continue;
    // Nobody else waits for it in this turn: until here the number is its own.
    if (::waitpid(pid, nullptr, WNOHANG) != 0) {
      killed_.erase(pid);
      forget_newborn(pid);
      continue;
    }
    all_gone = false;
    end(pid);
    if (Clock::now() > until) break;
  }
  return all_gone;
}

void Remains::sweep() {
  const TimePoint until = Clock::now() + kStep;
  bool none = sweep_once(until);
  for (int i = 1; i < kRounds && !none && Clock::now() < until; ++i) none = sweep_once(until);
  cgroups_.remove_ended();
  tell();
  if (none) killed_.clear();
  steps_ = none ? 0 : steps_ + 1;
  if (done_ && (none || Clock::now() > done_by_)) return std::exchange(done_, nullptr)();
  if (none || std::exchange(sweeping_, true)) return;
  loop_.after(steps_ < kHurried ? kPause : kLongPause, [this] {
    sweeping_ = false;
    sweep();
  });
}

void Remains::tell() {
  if (untold_ == 0 || !told_.ready(loop_.now(), kLines)) return;
  told_.take(loop_.now(), kLines);
  log_warning("leftovers")("killed", std::exchange(untold_, 0))(
      "why", "processes that belonged to a worker and did not end with it, or left it");
}

void Remains::when_none(std::function<void()> done) {
  done_ = std::move(done);
  done_by_ = Clock::now() + kPatience;
  sweep();
}

}  // namespace mpb
