// Keeps the worker processes running: starts, watches, restarts, drains and ends them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/restart_policy.hpp"
#include "broker/dispatch/scaler.hpp"
#include "broker/operator/event_log.hpp"
#include "broker/workers/worker_process.hpp"
#include "broker/workers/worker_starter.hpp"
#include "common/config/settings.hpp"
#include "common/process/worker_accounts.hpp"

namespace mpb {

/// What the broker does when the supervisor tells it.
class SupervisorOwner {
 public:
  virtual WorkerSettings worker_settings(Slot slot) = 0;
  virtual std::uint32_t handoff_window() = 0;
  virtual std::vector<std::string> vhost_texts() = 0;
  virtual std::vector<ToldListener> listeners_for(Slot slot) = 0;
  /// It was told all but the shared tables and Start: that is the owner's to do.
  virtual void on_worker_introduced(Slot slot, WorkerProcess& worker) = 0;
  /// One of a broker before this one, which has reported: the same goes for it, unless it is ready.
  virtual void on_worker_resumed(Slot slot, WorkerProcess& worker) = 0;
  /// See WorkerCgroups::enter.
  virtual UniqueFd enter_group(Slot slot) = 0;
  /// How the worker runs otherwise than the others, if it does. `in_group`: it has one.
  virtual std::optional<CellRun> cell_run(Slot slot, bool in_group) = 0;
  /// See Kinship::is_newborn.
  virtual bool is_newborn(pid_t pid) = 0;
  virtual void on_worker_online(Slot slot) = 0;
  /// It takes no more clients from now on.
  virtual void on_worker_drains(Slot slot) = 0;
  /// Its process was killed, and will be gone soon.
  virtual void on_worker_ejected(Slot slot) = 0;
  /// The key of a cell keeps it from a process for so long, since its last ones crashed.
  virtual void on_key_backs_off(Slot slot, std::string_view name, const BackOff& backs_off) = 0;
  /// Its process is gone. `as_told`: it was to drain, and did.
  virtual void on_worker_gone(Slot slot, bool as_told) = 0;
  /// The last process is gone after shut_down().
  virtual void on_all_gone() = 0;

 protected:
  ~SupervisorOwner() = default;
};

class Supervisor final : private WorkerProcessOwner {
 public:
  Supervisor(EventLoop& loop, const Settings& settings, WorkerTable& workers, Scaler& scaler,
             CellSet& cells, EventLog& events, SupervisorOwner& owner,
             WorkerProcess::OnMessage on_message);

  /// How workers that are started from now on are run.
  void set_program(ChildOptions program) { starter_.set_program(std::move(program)); }
  void set_accounts(WorkerAccounts accounts) { starter_.set_accounts(std::move(accounts)); }
  /// Brings the slots in line with the scaler's rules: base workers run, the table has room for
  /// the maximum. Also after the rules were changed; those that failed get another try at once,
  /// unless there was no `occasion`.
  void apply_rules(bool occasion = true);

  /// A worker of a broker before this one.
  struct Resumed {
    Slot slot = 0;
    bool told_to_drain = false;
    bool ends_when_empty = false;
    bool was_ready = false;
    std::uint32_t restarts = 0;
    TimePoint started{};
    std::optional<CellRun> run{};
  };
  /// For whoever makes its process.
  [[nodiscard]] WorkerProcessOwner& process_owner() { return *this; }
  [[nodiscard]] const WorkerProcess::OnMessage& on_message() const { return on_message_; }
  /// It has reported: how long it takes is not its fault from now on.
  void note_reported(Slot slot) { disarm(slot); }
  /// Room for as many slots as it had.
  void resume_slots(std::size_t count);
  /// Its process is told all that it may have missed, and killed if it does not report in time.
  void resume(const Resumed& worker, std::unique_ptr<WorkerProcess> process);
  /// It had no process. `parked`: it is not to be started before the next reload.
  void resume_record(Slot slot, std::uint32_t restarts, bool parked);
  /// It has reported, and so have all others. `draining`: it takes no more clients.
  void finish_resume(Slot slot, bool draining);
  /// Starts an extra worker that demand asks for, `count` in all: one now, and none for half a
  /// second, in which the first may show that fewer will do.
  void grow(std::size_t count);
  /// Starts and ends cells as the set of them says.
  void tend_cells();
  /// It has got all clients that it will get, and ends when it has none.
  void end_when_empty(Slot slot);
  /// False: there is no such worker, or it is not online. A base worker is started anew afterwards.
  bool drain(Slot slot, Duration deadline);
  /// Ends a worker that does not do its part any more.
  void kill_hung(Slot slot, const std::string& why);
  /// Ends the worker whose process this is, if any.
  void eject(pid_t pid, const std::string& why);
  /// The worker drains of its own accord: somebody sent it SIGTERM.
  void note_draining(Slot slot);
  /// Drains all; on_all_gone follows, at the latest a little after the deadline.
  void shut_down(Duration deadline);

  /// Null: the slot has no process.
  [[nodiscard]] WorkerProcess* process(Slot slot) const {
    return slot < records_.size() ? records_[slot].process.get() : nullptr;
  }
  /// Calls `visit(Slot, WorkerProcess&)` for each worker that said Ready.
  template <class F>
  void for_each_ready(F&& visit) {
    for (Slot slot = 0; slot < records_.size(); ++slot) {
      if (records_[slot].process && records_[slot].process->ready()) {
        visit(slot, *records_[slot].process);
      }
    }
  }
  /// The same for each worker that has a process.
  template <class F>
  void for_each_process(F&& visit) {
    for (Slot slot = 0; slot < records_.size(); ++slot) {
      if (records_[slot].process) visit(slot, *records_[slot].process);
    }
  }
  /// Asks all workers for their counters; calls `done` when all have answered, or soon.
  void refresh_counters(std::function<void()> done);

  [[nodiscard]] std::uint32_t restarts(Slot slot) const { return records_[slot].restarts; }
  [[nodiscard]] bool told_to_drain(Slot slot) const { return records_[slot].told_to_drain; }
  [[nodiscard]] TimePoint started(Slot slot) const { return records_[slot].started; }
  [[nodiscard]] const std::string& last_exit(Slot slot) const { return records_[slot].last_exit; }
  [[nodiscard]] Duration uptime(Slot slot) const;
  /// It takes no more clients and ends when its last one has left, as it was meant to.
  [[nodiscard]] bool ends_when_empty(Slot slot) const { return records_[slot].ends_when_empty; }
  /// How the slot's process was started, if otherwise than others.
  [[nodiscard]] const std::optional<CellRun>& cell_run(Slot slot) const {
    return records_[slot].run;
  }
  [[nodiscard]] const Zygote& zygote() const { return starter_.zygote(); }

 private:
  struct Record {
    std::unique_ptr<WorkerProcess> process;
    RestartPolicy restart;
    std::optional<EventLoop::TimerId> timer;  // start limit, back-off, or kill after draining
    TimePoint started;
    std::uint32_t missed_pings = 0;
    bool disconnect_told = false;
    bool told_to_drain = false;
    bool ends_when_empty = false;
    std::uint32_t restarts = 0;
    std::string last_exit;
    std::optional<CellRun> run;
  };
  struct Refresh {
    std::set<Slot> missing;
    std::vector<std::function<void()>> done;
    std::optional<EventLoop::TimerId> timer;
  };

  void on_ready(Slot slot) override;
  void on_pong(Slot slot) override;
  void on_ejected(Slot slot, const std::string& why) override;
  void on_unreachable(Slot slot) override { workers_.set_unreachable(slot); }
  void on_exited(Slot slot, ExitStatus status) override;

  void start(Slot slot);
  /// Its process is there, or could not be had.
  void on_started(Slot slot, Result<std::unique_ptr<WorkerProcess>> started);
  /// Kills it if that does not come within the start limit.
  void await_ready(Slot slot);
  void look_after_zygote();
  /// Tells it to end when it has no clients.
  void let_end(Slot slot);
  void fail_start(Slot slot, const std::string& why);
  void cell_gone(Slot slot, const WorkerExit& exit, bool as_told);
  /// An event about a worker; of a cell with its key.
  void tell(LogLevel level, std::string_view event, Slot slot, std::vector<EventField> more = {});
  void restart_later(Slot slot, const WorkerExit& exit);
  void arm(Slot slot, Duration delay, std::function<void()> action);
  void disarm(Slot slot);
  /// Tells a worker to drain, and kills it a little after the deadline.
  void drain_process(Slot slot, Duration deadline);
  /// A little after the deadline.
  void kill_after(Slot slot, Duration deadline);
  void tick();
  void keep_house();
  /// Ends extra workers that have been empty for long enough.
  void retire_idle();
  void finish_refresh();
  [[nodiscard]] bool wanted(Slot slot) const;
  [[nodiscard]] Duration ran(Slot slot) const;

  EventLoop& loop_;
  const Settings& settings_;
  WorkerTable& workers_;
  Scaler& scaler_;
  CellSet& cells_;
  EventLog& events_;
  SupervisorOwner& owner_;
  const WorkerProcess::OnMessage on_message_;
  WorkerStarter starter_;
  std::vector<Record> records_;
  std::mt19937_64 random_{std::random_device{}()};
  Refresh refresh_;
  TimePoint next_growth_{};
  bool zygote_due_ = false;  // as soon as all base workers are online
  bool shutting_down_ = false;
};

}  // namespace mpb
