#include "broker/workers/supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "broker/operator/shown_key.hpp"

namespace mpb {
namespace {

constexpr Duration kKillGrace{1'000};   // from a drain deadline to SIGKILL
constexpr Duration kRefreshLimit{300};  // for the answers of all workers
constexpr Duration kHousekeeping{500};  // between two looks at messages and idle workers
constexpr Duration kGrowthPause{500};   // between two extra workers that are started
constexpr int kUsageExit = 2;           // a worker's exit code for a wrong configuration

}  // namespace

Supervisor::Supervisor(EventLoop& loop, const Settings& settings, WorkerTable& workers,
                       Scaler& scaler, CellSet& cells, EventLog& events, SupervisorOwner& owner,
                       WorkerProcess::OnMessage on_message)
    : loop_(loop),
      settings_(settings),
      workers_(workers),
      scaler_(scaler),
      cells_(cells),
      events_(events),
      owner_(owner),
      on_message_(std::move(on_message)),
      starter_(loop, *this, on_message_, events,
               [this](pid_t pid) { return owner_.is_newborn(pid); }) {
  loop_.after(settings_.ping_interval, [this] { tick(); });
  keep_house();
}

bool Supervisor::wanted(Slot slot) const {
  return !shutting_down_ && !scaler_.is_extra(slot);
}

void Supervisor::apply_rules(bool occasion) {
  if (shutting_down_) return;
  starter_.end_old_zygote();
  const std::size_t slots = std::max<std::size_t>(scaler_.rules().maximum, records_.size());
  records_.resize(slots);
  workers_.resize(slots);
  for (Slot slot = 0; slot < slots; ++slot) {
    const WorkerEntry& worker = workers_.at(slot);
    const bool waits = worker.state == WorkerState::kBackoff && worker.failing;
    if (occasion && (waits || worker.state == WorkerState::kParked)) {
      records_[slot].restart.forgive();
      workers_.set_failing(slot, false);
      workers_.set_state(slot, WorkerState::kStopped);
      disarm(slot);
    }
    if (wanted(slot) && worker.state == WorkerState::kStopped) start(slot);
  }
  zygote_due_ = true;
  look_after_zygote();
}

void Supervisor::resume_slots(std::size_t count) {
  records_.resize(std::max(count, records_.size()));
  workers_.resize(records_.size());
}

void Supervisor::resume(const Resumed& worker, std::unique_ptr<WorkerProcess> process) {
  const Slot slot = worker.slot;
  Record& record = records_[slot];
  workers_.set_state(slot, WorkerState::kStarting);
  record.process = std::move(process);
  record.restarts = worker.restarts;
  record.started = worker.started;
  record.told_to_drain = worker.told_to_drain;
  record.ends_when_empty = worker.ends_when_empty;
  record.run = worker.run;
  WorkerProcess& resumed = *record.process;
  // What the broker before had told it may not have been sent.
  const std::vector<std::string> vhosts = owner_.vhost_texts();
  if (vhosts.empty()) resumed.clear_vhosts();
  resumed.introduce(owner_.worker_settings(slot), owner_.handoff_window(), vhosts,
                    owner_.listeners_for(slot));
  if (worker.told_to_drain) {
    resumed.drain(worker.ends_when_empty ? Duration{channel::Drain::kNoDeadline}
                                         : settings_.drain_timeout);
  }
  // It may have been in the midst of its start, and reports when that is done.
  const auto left =
      std::chrono::ceil<Duration>(worker.started + settings_.start_timeout - Clock::now());
  const Duration limit =
      worker.was_ready ? settings_.ping_limit : std::max(settings_.ping_limit, left);
  arm(slot, limit, [this, slot] {
    if (WorkerProcess* late = this->process(slot)) late->condemn("no ResyncReport in time");
  });
}

void Supervisor::resume_record(Slot slot, std::uint32_t restarts, bool parked) {
  records_[slot].restarts = restarts;
  if (parked) workers_.set_state(slot, WorkerState::kParked);
}

void Supervisor::finish_resume(Slot slot, bool draining) {
  WorkerProcess* worker = process(slot);
  if (worker == nullptr) return;
  disarm(slot);
  owner_.on_worker_resumed(slot, *worker);
  if (!worker->ready()) return await_ready(slot);
  workers_.set_state(slot, draining ? WorkerState::kDraining : WorkerState::kOnline);
  tell(LogLevel::kInfo, "resumed", slot, {{"pid", worker->pid()}});
  cells_.on_online(slot, loop_.now());
  const Record& record = records_[slot];
  // As if it had been told right behind its client; or its key was given up while others had not
  // reported.
  if (!record.told_to_drain && cells_.has_ended(slot)) end_when_empty(slot);
  if (draining && !record.ends_when_empty) kill_after(slot, settings_.drain_timeout);
  look_after_zygote();
  owner_.on_worker_online(slot);
}

/// Base workers come first: they begin before it could fork them.
void Supervisor::look_after_zygote() {
  if (!zygote_due_) return;
  const ScalerRules& rules = scaler_.rules();
  for (Slot slot = 0; slot < rules.base; ++slot) {
    if (!workers_.online(slot)) return;
  }
  zygote_due_ = false;
  starter_.use_zygote(settings_, rules.maximum > rules.base);
}

void Supervisor::grow(std::size_t count) {
  if (count == 0 || shutting_down_ || loop_.now() < next_growth_) return;
  const auto slot = scaler_.free_slot(workers_);
  if (!slot) return;
  next_growth_ = loop_.now() + kGrowthPause;
  events_.emit(LogLevel::kInfo, "overload",
               {{"starting", *slot}, {"online", workers_.count(WorkerState::kOnline)}});
  start(*slot);
}

void Supervisor::retire_idle() {
  for (const Slot slot : scaler_.to_retire(workers_, loop_.now())) {
    events_.emit(LogLevel::kInfo, "retire", {{"slot", slot}});
    drain(slot, settings_.drain_timeout);
  }
}

void Supervisor::tend_cells() {
  if (shutting_down_) return;
  for (const Slot slot : cells_.end_old()) {
    tell(LogLevel::kInfo, "rollover", slot, {{"age", uptime(slot)}});
  }
  for (const Slot slot : cells_.take_evicted()) let_end(slot);
  for (const Slot slot : cells_.take_ending()) {
    if (workers_.online(slot)) end_when_empty(slot);
  }
  for (const Slot slot : cells_.to_start(loop_.now())) start(slot);
}

void Supervisor::end_when_empty(Slot slot) {
  if (workers_.at(slot).state != WorkerState::kOnline || !process(slot)) return;
  workers_.set_state(slot, WorkerState::kDraining);
  owner_.on_worker_drains(slot);
  let_end(slot);
}

void Supervisor::let_end(Slot slot) {
  if (!process(slot)) return;
  process(slot)->drain(Duration{channel::Drain::kNoDeadline});
  records_[slot].told_to_drain = records_[slot].ends_when_empty = true;
}

void Supervisor::tell(LogLevel level, std::string_view event, Slot slot,
                      std::vector<EventField> more) {
  std::vector<EventField> fields{{"slot", slot}};
  fields.insert(fields.end(), more.begin(), more.end());
  const std::string key = shown_key_of(parse_key_name(cells_.name(slot)).key);
  if (!key.empty()) fields.emplace_back("key", key);
  events_.emit(level, event, fields);
}

void Supervisor::start(Slot slot) {
  disarm(slot);
  workers_.begin_incarnation(slot);
  Record& record = records_[slot];
  record.started = Clock::now();
  record.missed_pings = 0;
  record.disconnect_told = false;
  record.told_to_drain = false;
  record.ends_when_empty = false;
  UniqueFd group = owner_.enter_group(slot);
  record.run = owner_.cell_run(slot, group.valid());
  starter_.start(slot, std::move(group), record.run,
                 [this, slot](auto started) { on_started(slot, std::move(started)); });
}

void Supervisor::on_started(Slot slot, Result<std::unique_ptr<WorkerProcess>> started) {
  if (!started) return fail_start(slot, started.error().text);
  Record& record = records_[slot];
  record.process = std::move(*started);
  tell(LogLevel::kInfo, "fork", slot, {{"pid", record.process->pid()}});
  record.process->introduce(owner_.worker_settings(slot), owner_.handoff_window(),
                            owner_.vhost_texts(), owner_.listeners_for(slot));
  owner_.on_worker_introduced(slot, *record.process);
  await_ready(slot);
}

void Supervisor::await_ready(Slot slot) {
  arm(slot, settings_.start_timeout, [this, slot] {
    WorkerProcess* worker = process(slot);
    if (worker == nullptr) return;
    if (worker->waits_for_quota()) return await_ready(slot);  // it has not got its listeners
    worker->condemn("no Ready within the start limit");
  });
}

/// What the system does not give now it may give later. Told when it is another reason than before.
void Supervisor::fail_start(Slot slot, const std::string& why) {
  Record& record = records_[slot];
  if (record.last_exit != why) {
    events_.emit(LogLevel::kError, "fork", {{"slot", slot}, {"failed", why}});
  }
  record.last_exit = why;
  if (workers_.is_cell(slot)) return cells_.on_start_failed(slot, loop_.now(), random_);
  restart_later(slot, {false, false, ran(slot)});
}

void Supervisor::on_ready(Slot slot) {
  disarm(slot);
  workers_.set_failing(slot, false);
  workers_.set_state(slot, WorkerState::kOnline);
  tell(LogLevel::kInfo, "online", slot, {{"pid", process(slot)->pid()}});
  cells_.on_online(slot, loop_.now());
  if (shutting_down_) {
    drain(slot, Duration{0});
    return;
  }
  look_after_zygote();
  owner_.on_worker_online(slot);
}

void Supervisor::on_ejected(Slot slot, const std::string& why) {
  records_[slot].disconnect_told = true;
  workers_.set_unreachable(slot);
  tell(LogLevel::kError, "disconnect", slot, {{"why", why}});
  owner_.on_worker_ejected(slot);
}

void Supervisor::on_exited(Slot slot, ExitStatus status) {
  disarm(slot);
  Record& record = records_[slot];
  const bool usage = status.not_begun.empty() && status.signal == 0 && status.code == kUsageExit;
  const WorkerExit exit{record.process->ready(), usage, ran(slot)};
  const pid_t pid = record.process->pid();
  // Of one that was taken over it may not be known.
  const bool orderly = status.signal == 0 && status.code == 0;
  const bool expected = record.told_to_drain
                            ? orderly || record.process->was_done_before_it_was_killed()
                            : orderly && !status.unknown;
  // One that says itself that it drains, and then ends otherwise, has failed.
  const bool drained =
      workers_.at(slot).state == WorkerState::kDraining && (expected || record.told_to_drain);
  record.last_exit = status.to_string();
  const LogLevel level = expected ? LogLevel::kInfo : LogLevel::kError;
  if (!record.disconnect_told) {
    tell(level, "disconnect", slot, {{"why", "its process ended"}});
  }
  tell(level, "exit", slot, {{"pid", pid}, {"status", record.last_exit}});
  on_pong(slot);  // none comes any more
  workers_.set_state(slot, WorkerState::kStopped);
  const bool was_cell = workers_.is_cell(slot);
  // A cell that ends unasked has failed, whatever it says.
  const bool as_told = record.ends_when_empty ? expected : drained && record.told_to_drain;
  if (was_cell) cell_gone(slot, exit, as_told);
  // Whose program could not be run has done nothing.
  owner_.on_worker_gone(slot, !status.not_begun.empty() || (record.told_to_drain && expected));
  record.process.reset();
  if (shutting_down_) {
    const bool none = std::none_of(records_.begin(), records_.end(),
                                   [](const Record& r) { return r.process != nullptr; });
    if (none) owner_.on_all_gone();
    return;
  }
  if (!drained && !was_cell) return restart_later(slot, exit);
  if (wanted(slot)) start(slot);
}

/// What starts in its place, if anything, is for the set of cells to say.
void Supervisor::cell_gone(Slot slot, const WorkerExit& exit, bool as_told) {
  const std::string name(cells_.name(slot));
  const auto backs_off =
      cells_.on_gone(slot, {as_told, exit.was_ready, exit.ran}, loop_.now(), random_);
  if (backs_off && backs_off->left > Duration{0}) owner_.on_key_backs_off(slot, name, *backs_off);
}

void Supervisor::restart_later(Slot slot, const WorkerExit& exit) {
  Record& record = records_[slot];
  if (shutting_down_) return workers_.set_state(slot, WorkerState::kStopped);
  const RestartDecision decision = record.restart.on_exit(exit, random_);
  if (decision.park) {
    workers_.set_state(slot, WorkerState::kParked);
    events_.emit(LogLevel::kError, "restart",
                 {{"slot", slot},
                  {"state", "parked"},
                  {"why", "its configuration is wrong"},
                  {"help", "see its messages above; reload or 'mpctl reload' tries again"}});
    return;
  }
  // An extra worker waits, too, but is only started again when demand asks for it.
  workers_.set_state(slot, WorkerState::kBackoff);
  workers_.set_failing(slot, record.restart.hopeless());
  ++record.restarts;
  events_.emit(LogLevel::kWarning, "restart", {{"slot", slot}, {"in", decision.delay}});
  arm(slot, decision.delay, [this, slot] {
    if (wanted(slot)) {
      start(slot);
    } else {
      workers_.set_state(slot, WorkerState::kStopped);
    }
  });
}

bool Supervisor::drain(Slot slot, Duration deadline) {
  if (process(slot) && std::exchange(records_[slot].ends_when_empty, false)) {
    tell(LogLevel::kInfo, "drain", slot, {{"deadline", deadline}});
    cells_.on_draining(slot);
    drain_process(slot, deadline);
    return true;
  }
  if (!workers_.online(slot)) return false;
  workers_.set_state(slot, WorkerState::kDraining);
  tell(LogLevel::kInfo, "drain", slot, {{"deadline", deadline}});
  cells_.on_draining(slot);
  owner_.on_worker_drains(slot);
  drain_process(slot, deadline);
  return true;
}

void Supervisor::drain_process(Slot slot, Duration deadline) {
  process(slot)->drain(deadline);
  records_[slot].told_to_drain = true;
  kill_after(slot, deadline);
}

void Supervisor::kill_after(Slot slot, Duration deadline) {
  arm(slot, deadline + kKillGrace, [this, slot] {
    if (WorkerProcess* worker = process(slot)) worker->signal(SIGKILL);
  });
}

void Supervisor::note_draining(Slot slot) {
  if (!workers_.online(slot)) return;
  workers_.set_state(slot, WorkerState::kDraining);
  tell(LogLevel::kInfo, "drain", slot, {{"why", "it was told by a signal"}});
  cells_.on_draining(slot);
  owner_.on_worker_drains(slot);
  kill_after(slot, settings_.drain_timeout);
}

void Supervisor::shut_down(Duration deadline) {
  shutting_down_ = true;
  starter_.stop();
  bool any = false;
  for (Slot slot = 0; slot < records_.size(); ++slot) {
    WorkerProcess* worker = process(slot);
    if (worker == nullptr) {
      disarm(slot);
      continue;
    }
    any = true;
    if (drain(slot, deadline)) continue;
    // Already draining: the earlier deadline counts. Not yet online: nobody is served there.
    if (workers_.at(slot).state == WorkerState::kDraining) {
      drain_process(slot, deadline);
    } else {
      worker->signal(SIGKILL);
    }
  }
  if (!any) owner_.on_all_gone();
}

void Supervisor::arm(Slot slot, Duration delay, std::function<void()> action) {
  disarm(slot);
  records_[slot].timer = loop_.after(delay, [this, slot, run = std::move(action)] {
    records_[slot].timer.reset();
    run();
  });
}

void Supervisor::disarm(Slot slot) {
  if (records_[slot].timer) loop_.cancel(*records_[slot].timer);
  records_[slot].timer.reset();
}

/// Counts its own ticks, not the clock: a broker that was paused must not find all workers hung.
void Supervisor::tick() {
  for_each_ready([this](Slot slot, WorkerProcess& worker) {
    Record& record = records_[slot];
    workers_.set_late(slot, worker.ping_outstanding());
    if (!worker.ping_outstanding()) {
      record.missed_pings = 0;
      return worker.ping();
    }
    const Duration silent = settings_.ping_interval * ++record.missed_pings;
    if (silent < settings_.ping_limit) return;
    kill_hung(slot, "hung: no answer for " + format_duration(silent));
  });
  loop_.after(settings_.ping_interval, [this] { tick(); });
}

void Supervisor::kill_hung(Slot slot, const std::string& why) {
  if (!process(slot) || records_[slot].disconnect_told) return;
  process(slot)->condemn(why);
}

void Supervisor::eject(pid_t pid, const std::string& why) {
  if (pid > 0 && pid == zygote().pid()) {
    events_.emit(LogLevel::kError, "zygote", {{"state", "ejected"}, {"pid", pid}, {"why", why}});
    ::kill(pid, SIGKILL);  // not waited for: the number is still its own
    return;
  }
  for_each_process([&](Slot, WorkerProcess& worker) {
    if (worker.pid() == pid) worker.eject(why);
  });
}

void Supervisor::keep_house() {
  for_each_ready([this](Slot slot, WorkerProcess& worker) {
    worker.forgive_messages();
    workers_.clear_full(slot);
    workers_.age(slot);
    const WorkerEntry& entry = workers_.at(slot);
    const bool empty = entry.held == 0 && entry.in_flight == 0;
    if (records_[slot].ends_when_empty && empty && !records_[slot].timer) {
      kill_after(slot, settings_.drain_timeout);
    }
  });
  retire_idle();
  cells_.tick(loop_.now());
  loop_.after(kHousekeeping, [this] { keep_house(); });
}

void Supervisor::refresh_counters(std::function<void()> done) {
  refresh_.done.push_back(std::move(done));
  if (refresh_.timer) return;
  refresh_.missing.clear();
  for_each_ready([this](Slot slot, WorkerProcess& worker) {
    if (!worker.hears()) return;
    refresh_.missing.insert(slot);
    if (!worker.ping_outstanding()) worker.ping();
  });
  const Duration limit = refresh_.missing.empty() ? Duration{0} : kRefreshLimit;
  refresh_.timer = loop_.after(limit, [this] { finish_refresh(); });
}

void Supervisor::on_pong(Slot slot) {
  const bool awaited = refresh_.missing.erase(slot) != 0;
  if (refresh_.timer && awaited && refresh_.missing.empty()) finish_refresh();
}

void Supervisor::finish_refresh() {
  if (refresh_.timer) loop_.cancel(*refresh_.timer);
  refresh_.timer.reset();
  for (const auto& done : std::exchange(refresh_.done, {})) done();
}

Duration Supervisor::ran(Slot slot) const {
  return std::chrono::duration_cast<Duration>(Clock::now() - records_[slot].started);
}

Duration Supervisor::uptime(Slot slot) const {
  return records_[slot].process ? ran(slot) : Duration{0};
}

}  // namespace mpb
