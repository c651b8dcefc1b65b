#include "broker/workers/worker_starter.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace mpb {

void WorkerStarter::set_accounts(WorkerAccounts accounts) {
  if (accounts.of(0) != accounts_.of(0)) zygote_is_old_ = true;
  accounts_ = std::move(accounts);
}

void WorkerStarter::end_old_zygote() {
  if (std::exchange(zygote_is_old_, false)) zygote_.stop();
}

void WorkerStarter::use_zygote(const Settings& settings, bool grows) {
  const bool persist = settings.spawn == Spawn::kZygote;
  const bool wanted = persist || (settings.spawn == Spawn::kAuto && grows);
  if (!wanted || accounts_.separate()) return zygote_.stop();
  if (zygote_.state() != ZygoteState::kOff) return;
  ChildOptions program = program_;
  program.run_as = accounts_.of(0);
  program.environment.emplace_back("MPBROKER_ZYGOTE=3");
  program.environment.emplace_back("LD_BIND_NOW=1");  // else each that it forks binds anew
  if (program.confinement) {
    auto confinement = Confinement::of_zygote();
    if (!confinement) return zygote_.stop();
    program.confinement = *std::move(confinement);
  }
  zygote_.run({std::move(program), settings.start_timeout, persist});
}

void WorkerStarter::start(Slot slot, UniqueFd group, std::optional<CellRun> run, Started started) {
  const auto wanted =
      std::make_shared<Wanted>(Wanted{slot, std::move(group), std::move(run), std::move(started)});
  if (!wanted->run && accounts_.cover(slot) && zygote_.can_fork(accounts_.of(slot)))
    return fork(wanted);
  exec(*wanted);
}

/// As program and accounts are by then, whatever they were when it was wanted.
void WorkerStarter::exec(const Wanted& wanted) {
  ChildOptions program = program_;
  if (wanted.run) program.limits = wanted.run->limits;
  if (wanted.run && wanted.run->run_as) {
    program.run_as = wanted.run->run_as;
  } else if (accounts_.cover(wanted.slot)) {
    program.run_as = accounts_.of(wanted.slot);
  } else {
    return wanted.started(unavailable_error("user has no account for this slot"));
  }
  program.cgroup = wanted.group.get();
  auto ends = WorkerProcess::make_ends();
  if (!ends) return wanted.started(ends.error());
  program.environment.push_back(fmt::format("MPBROKER_SLOT={}", wanted.slot));
  const UniqueFd theirs = std::move(ends->theirs);
  wanted.started(WorkerProcess::begin(
      loop_, wanted.slot, *std::move(ends), owner_, on_message_,
      [&](auto on_exit) { return Child::spawn(loop_, program, theirs, std::move(on_exit)); }));
}

void WorkerStarter::fork(std::shared_ptr<Wanted> wanted) {
  auto made = WorkerProcess::make_ends();
  if (!made) return wanted->started(made.error());
  const auto ends = std::make_shared<ChannelEnds>(*std::move(made));
  const UniqueFd theirs = std::move(ends->theirs);
  zygote_.fork(wanted->slot, theirs, [this, wanted, ends](const Result<pid_t>& pid) {
    if (!pid) return exec(*wanted);
    // Before it is told anything, and so before it can have started others.
    const std::string number = std::to_string(*pid);
    [[maybe_unused]] const ssize_t entered =
        ::write(wanted->group.get(), number.data(), number.size());
    wanted->started(WorkerProcess::begin(
        loop_, wanted->slot, std::move(*ends), owner_, on_message_,
        [&](auto on_exit) { return Child::adopt(loop_, *pid, std::move(on_exit)); }));
  });
}

}  // namespace mpb
