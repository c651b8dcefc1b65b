// Starts the processes of workers: forked by a zygote where there is one, else by exec. Which way
// makes no difference to what they are.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "broker/workers/cell_run.hpp"
#include "broker/workers/worker_process.hpp"
#include "broker/workers/zygote.hpp"
#include "common/config/settings.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {

class WorkerStarter {
 public:
  using Started = std::function<void(Result<std::unique_ptr<WorkerProcess>>)>;

  WorkerStarter(EventLoop& loop, WorkerProcessOwner& owner,
                const WorkerProcess::OnMessage& on_message, EventLog& events,
                std::function<bool(pid_t)> is_newborn)
      : loop_(loop),
        owner_(owner),
        on_message_(on_message),
        zygote_(loop, events, std::move(is_newborn)) {}
  WorkerStarter(const WorkerStarter&) = delete;
  WorkerStarter& operator=(const WorkerStarter&) = delete;

  /// How workers that are started from now on are run. Follow it by end_old_zygote().
  void set_program(ChildOptions program) {
    program_ = std::move(program);
    zygote_is_old_ = true;
  }
  /// As whom; the same goes for it.
  void set_accounts(WorkerAccounts accounts);
  /// One of another program or account forks no more: who waits for it is exec'd.
  void end_old_zygote();
  /// Runs one, or ends it, as the settings say; one that runs goes on. `grows`: there may be extra
  /// workers.
  void use_zygote(const Settings& settings, bool grows);
  /// No worker is started any more: whoever waits for one is told nothing.
  void stop() { zygote_.abandon(); }

  /// `group`: open on cgroup.procs, or invalid. `run`: for one that runs otherwise than the others,
  /// which is exec'd. `started` is called at once or later.
  void start(Slot slot, UniqueFd group, std::optional<CellRun> run, Started started);

  [[nodiscard]] const Zygote& zygote() const { return zygote_; }

 private:
  struct Wanted {
    Slot slot;
    UniqueFd group;
    std::optional<CellRun> run;
    Started started;
  };
  void exec(const Wanted& wanted);
  void fork(std::shared_ptr<Wanted> wanted);

  EventLoop& loop_;
  WorkerProcessOwner& owner_;
  const WorkerProcess::OnMessage& on_message_;
  ChildOptions program_;
  WorkerAccounts accounts_;
  bool zygote_is_old_ = false;  // of another program or account, or as they were read before
  Zygote zygote_;
};

}  // namespace mpb
