// Starts the processes of workers: forked by a zygote where there is one, else by exec. Which way
// makes no difference to what they are.
#pragma once

#include <functional>
#include <memory>
#include <optional>

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

  /// How workers that are started from now on are run.
  void set_program(ChildOptions program) {
    program_ = std::move(program);
    zygote_is_old_ = true;
  }
  /// Runs one, or ends it, as the settings say; one of this program goes on. `grows`: there may be
  /// extra workers.
  void use_zygote(const Settings& settings, bool grows, const WorkerAccounts& accounts);
  /// No worker is started any more: whoever waits for one is told nothing.
  void stop() { zygote_.stop(); }

  /// `group`: open on cgroup.procs, or invalid. `started` is called at once or later.
  void start(Slot slot, std::optional<Credentials> run_as, UniqueFd group, Started started);

  [[nodiscard]] const Zygote& zygote() const { return zygote_; }

 private:
  struct Wanted {
    Slot slot;
    std::optional<Credentials> run_as;
    UniqueFd group;
    Started started;
  };
  void exec(const Wanted& wanted);
  void fork(std::shared_ptr<Wanted> wanted);

  EventLoop& loop_;
  WorkerProcessOwner& owner_;
  const WorkerProcess::OnMessage& on_message_;
  ChildOptions program_;
  bool zygote_is_old_ = false;  // of another program, or as it was read before
  Zygote zygote_;
};

}  // namespace mpb
