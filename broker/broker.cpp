#include "broker/broker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <random>
#include <utility>

#include "broker/dispatch/client_limit.hpp"
#include "broker/operator/shown_key.hpp"
#include "broker/tables/table_answers.hpp"
#include "broker/workers/descriptor_plan.hpp"
#include "broker/workers/quota_watch.hpp"
#include "broker/workers/worker_program.hpp"
#include "common/config/listen_names.hpp"
#include "common/config/option_values.hpp"
#include "common/listen/inherited_sockets.hpp"
#include "common/process/cpus.hpp"
#include "common/process/process.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kLeastCredit = 16;     // see delivery_window: until that is known
constexpr std::uint8_t kMaxAttempts = 16;      // offers of one client until it is refused
constexpr std::uint64_t kTicksToThorough = 4;  // of choosing acceptors
constexpr Duration kTick{500};                 // between two looks at overdue Acks and at sockets
constexpr Duration kWaitTick{20};              // how exactly waiting clients' deadlines are kept

/// Differs between a broker and the one before it: seconds since 1970, as far as 32 bits go.
std::uint32_t generation() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

Broker::Broker(EventLoop& loop, Settings settings, OptionsReader read_options)
    : loop_(loop),
      settings_(std::move(settings)),
      configured_limit_(settings_.worker_limit()),
      read_options_(std::move(read_options)),
      workers_(settings_.max_clients, kLeastCredit),
      cells_(workers_),
      router_(workers_, settings_.max_keys, std::random_device{}(), &cells_),
      scaler_(scaler_rules()),
      dispatcher_(workers_, router_, scaler_, generation(), &cells_),
      supervisor_(loop, settings_, workers_, scaler_, cells_, events_, *this,
                  [this](Slot slot, const channel::Message& message, ForeignDescriptor descriptor) {
                    return messages_.take(slot, message, std::move(descriptor));
                  }),
      inquiries_(
          loop, static_cast<std::uint64_t>(generation()) << 32U,
          [this](const channel::Query& query, Inquiry& inquiry) {
            supervisor_.for_each_ready([&](Slot slot, WorkerProcess& worker) {
              inquiry.expect(slot);
              if (!worker.ask(query)) inquiry.give_up(slot);
            });
          },
          settings_.answer_timeout),
      control_(loop, [this](const boost::json::object& request,
                            Reply reply) { on_request(request, std::move(reply)); }),
      trespass_(loop, kinship_,
                [this](pid_t pid, const std::string& why) { supervisor_.eject(pid, why); }),
      turn_away_(loop) {
  generation_ = generation();
  cells_.keep_apart([this](const std::string& name) { return plan_of(name) != nullptr; });
  vhosts_.admit_cells_by([this](const CellSettings& cell) { return plans_.admit(cell); });
  apply_acceptor_rules();
  dispatcher_.set_wait_limit(wait_limit(settings_));
  dispatcher_.set_max_attempts(kMaxAttempts);
  loop_.after(kTick, [this] { tick(); });
  control_.admit_by([this](int client) { return trespass_.refuse_peer(client); });
  events_.set_publisher([this](const boost::json::object& event) { publish(event); },
                        [this] { return talk_.has_subscriber() || control_.has_subscriber({}); });
  tables_.set_workers_deny(settings_.workers_deny);
  tables_.set_observer([this](const channel::TableChange& change) {
    if (!control_.has_subscriber(change.table)) return;
    control_.publish(event_of(change), change.table);
  });
  loop_.at_turn_end([this] { end_turn(); });
}

void Broker::run_workers_as(WorkerAccounts accounts) {
  kinship_.set_accounts([accounts](uid_t user) { return accounts.includes(user); });
  supervisor_.set_accounts(std::move(accounts));
}

Duration Broker::wait_limit(const Settings& settings) {
  return settings.route_timeout * 4 / 5;
}

ScalerRules Broker::scaler_rules() const {
  return {settings_.workers, settings_.worker_limit(), settings_.grow_at, settings_.linger};
}

CellRules Broker::cell_rules() const {
  constexpr unsigned kStartsPerCpu = 2;
  return {settings_.isolates(),
          settings_.spare_workers,
          settings_.workers,
          settings_.worker_limit(),
          std::size_t{kStartsPerCpu} * usable_cpus(),
          settings_.linger,
          wait_limit(settings_),
          {settings_.max_failures, settings_.recovery_time},
          rollovers()};
}

void Broker::tell_cells() {
  for (const CellSet::Given& given : cells_.take_given()) {
    succession_.note_change();
    const KeyName name = parse_key_name(given.name);
    events_.emit(LogLevel::kInfo, "cell",
                 {{"slot", given.slot},
                  {"protocol", listeners_.protocol_of(name.space)},
                  {"key", shown_key_of(name.key)}});
  }
}

void Broker::on_key_backs_off(Slot slot, std::string_view name, const BackOff& backs_off) {
  const KeyName parsed = parse_key_name(name);
  events_.emit(LogLevel::kWarning, "backoff",
               {{"slot", slot},
                {"protocol", listeners_.protocol_of(parsed.space)},
                {"key", shown_key_of(parsed.key)},
                {"in", backs_off.left},
                {"failures", backs_off.failures},
                {"closed", backs_off.closed}});
}

Status Broker::start() {
  auto program = worker_program(settings_);
  if (!program) return program.error();
  auto accounts = worker_accounts(settings_);
  if (!accounts) return accounts.error();
  if (const Status admitted = plans_.admit_all(settings_); !admitted) return admitted;
  if (program->confinement) log_missing_sandbox();
  supervisor_.set_program(std::move(*program));
  run_workers_as(std::move(*accounts));
  auto passed = succession_.begin(take_passed_descriptors());
  resume_books();
  UniqueFd control;
  if (const Status taken = take_sockets(std::move(passed), control); !taken) return taken;
  const auto opened = listeners_.apply(settings_);
  if (!opened) return opened.error();
  if (const Status open = open_control(std::move(control)); !open) return open;
  for (const std::uint16_t number : opened->opened) tell_listening(number);
  vhosts_.replace(std::move(settings_.vhosts));
  plans_.replace(std::move(settings_.keys));
  tables_.keep_in(succession_.tables_memory(), succession_.predecessor() != nullptr);
  apply_pins(pins_.configure(configured_pins()));
  if (const BrokerState* left = succession_.predecessor()) resume_changes(*left);
  prepare_cells();
  cells_.set_rules(cell_rules());
  keep_sockets();
  apply_client_limit();
  tell_setup();
  resume_workers();
  warn_of_descriptors();
  if (!stop_when_resumed_ && !stopping_) {
    supervisor_.apply_rules(succession_.predecessor() == nullptr);
  }
  if (const auto interval = watchdog_interval()) feed_watchdog(*interval);
  return {};
}

/// What the service manager has passed, for the listeners and, in `control`, the control socket.
Status Broker::take_sockets(std::vector<PassedDescriptor> passed, UniqueFd& control) {
  if (const Status resolved = resolve_listeners(settings_.listeners); !resolved) return resolved;
  auto inherited = take_inherited_sockets(std::move(passed));
  if (!inherited) return inherited.error();
  auto wishes = socket_wishes(settings_.listeners);
  if (!settings_.control_socket.empty()) {
    const auto endpoint = parse_endpoint("unix:" + settings_.control_socket);
    if (endpoint) wishes.push_back({"control-socket", {*endpoint}});
  }
  auto given = distribute(*std::move(inherited), wishes);
  if (wishes.size() > settings_.listeners.size()) {
    if (!given.back().empty()) control = std::move(given.back().front().socket);
    given.pop_back();
  }
  listeners_.adopt(std::move(given));
  return {};
}

Status Broker::open_control(UniqueFd inherited) {
  const std::string& path = settings_.control_socket;
  if (path.empty()) return {};
  UniqueFd left = inherited ? UniqueFd() : succession_.take_control();
  // Its path may have been deleted, or the operator wants another.
  const auto bound = left ? local_endpoint(left.get()) : Result<Endpoint>(Endpoint{});
  const bool same = left && bound && bound->to_string() == "unix:" + path;
  Status opened =
      same ? control_.take_over(path, std::move(left)) : control_.open(path, std::move(inherited));
  if (opened) return opened;
  Error error = opened.error();
  error.text = fmt::format("control-socket = {}: {}", path, error.text);
  return error;
}

void Broker::keep_up_sockets() {
  if (stopping_) return;
  bool let_go = false;
  const auto renewed = listeners_.keep_up(loop_.now(), [&] {
    let_go = true;
    turn_away_.end();
  });
  if (let_go && service_.down()) turn_away();
  for (const std::uint16_t number : renewed) {
    const ListenerSet::Listener& listener = *listeners_.find(number);
    supervisor_.for_each_process([&](Slot slot, WorkerProcess& worker) {
      if (accepts(slot, listener)) tell_of(worker, slot, listener);
    });
  }
  control_.keep_up();
  keep_sockets();
}

std::vector<ToldListener> Broker::told(Slot slot, const ListenerSet::Listener& listener) const {
  return ListenerSet::for_worker(listener, accepts(slot, listener), spreads());
}

void Broker::tell_of(WorkerProcess& worker, Slot slot, const ListenerSet::Listener& listener) {
  for (const ToldListener& one : told(slot, listener)) worker.listen(one);
}

AcceptorRules Broker::acceptor_rules() const {
  constexpr Slot kFewest = 2;
  AcceptorRules rules;
  rules.fixed = settings_.acceptors.has_value();
  rules.count = settings_.acceptors.value_or(
      static_cast<Slot>(std::clamp<unsigned>(usable_cpus(), kFewest, kMaxWorkers)));
  rules.most_held = usable_descriptors(client_descriptors(raise_descriptor_limit()));
  return rules;
}

void Broker::apply_acceptor_rules() {
  acceptors_.set_rules(acceptor_rules(), workers_);
  router_.set_origins(any_local() ? SIZE_MAX : acceptors_.count());
  widen_window();
}

void Broker::widen_window() {
  widest_window_ = std::max(widest_window_, handoff_window());
  dispatcher_.set_handoff_window(widest_window_);
}

/// All origins together may have as many as if every worker accepted: what waits for one target
/// holds up the others no sooner.
std::uint32_t Broker::handoff_window() {
  constexpr std::uint32_t kWindow = 1024;
  constexpr std::uint32_t kMost = 16;
  if (settings_.acceptors) return kWindow;
  const std::uint32_t workers = settings_.worker_limit();
  const std::uint32_t origins = acceptors_.count();
  return kWindow * std::clamp((workers + origins - 1) / origins, 1U, kMost);
}

bool Broker::spreads() const {
  return !settings_.acceptors && settings_.worker_limit() > acceptors_.count();
}

/// Clients of policy local are served by whoever accepts them.
bool Broker::accepts(Slot slot, const ListenerSet::Listener& listener) const {
  if (workers_.is_cell(slot)) return false;
  return acceptors_.has(slot) || (!settings_.acceptors && listener.rules.policy == Policy::kLocal);
}

bool Broker::accepts(Slot slot) const {
  if (workers_.is_cell(slot)) return false;
  return acceptors_.has(slot) || (!settings_.acceptors && any_local());
}

bool Broker::any_local() const {
  return std::ranges::any_of(settings_.listeners, [](const ListenerSettings& listener) {
    return listener.policy == Policy::kLocal;
  });
}

void Broker::choose_acceptors(AcceptorSet::Choice choice) {
  if (stopping_ || takeover_.under_way()) return;
  for (const Slot slot : acceptors_.choose(workers_, choice)) {
    WorkerProcess& worker = *supervisor_.process(slot);
    for (const auto& [number, listener] : listeners_.all()) {
      if (listener.rules.policy != Policy::kLocal) tell_of(worker, slot, listener);
    }
  }
}

void Broker::tell_listening(std::uint16_t number) {
  const ListenerSet::Listener& listener = *listeners_.find(number);
  events_.emit(LogLevel::kInfo, "listening",
               {{"listener", listener.settings.name},
                {"address", listener.address},
                {"protocol", listener.settings.protocol}});
}

void Broker::apply_client_limit() {
  const std::uint32_t limit = client_limit(settings_, client_descriptors(raise_descriptor_limit()));
  if (limit != settings_.max_clients && limit != workers_.soft_limit()) {
    log_info("client_limit")("clients_per_worker", limit)(
        "why", "max-clients is not set and max-workers is above workers: what descriptors allow");
  }
  workers_.set_soft_limit(limit);
  dispatcher_.set_settled_may_wait(settings_.clients_per_source == 0);
  workers_.set_most_clients(descriptor_limit());
  workers_.set_window(delivery_window(descriptor_limit(), settings_.worker_limit()));
}

std::string Broker::descriptor_warning() {
  const std::uint64_t limit = raise_descriptor_limit();
  std::size_t running = 0;
  supervisor_.for_each_process([&running](Slot, WorkerProcess&) { ++running; });
  const std::uint64_t open = read_process_usage(::getpid()).descriptors;
  const std::uint64_t own = running * kDescriptorsPerWorker;
  // Without /proc: what there is at least.
  const std::uint64_t others = open > own ? open - own : listeners_.all().size() + 8;
  const std::size_t possible = workers_within(limit, others);
  const std::size_t wanted = settings_.worker_limit();
  if (wanted <= possible) return {};
  return fmt::format(
      "{} workers need more descriptors than RLIMIT_NOFILE = {} leaves mpbroker: not more than {} "
      "will run; raise the hard limit (LimitNOFILE=)",
      wanted, limit, possible);
}

void Broker::warn_of_descriptors() {
  const std::string warning = descriptor_warning();
  if (!warning.empty()) log_warning("descriptors")("why", warning);
}

/// While nobody is served nor will be, the service manager is not told that all is well: it may do
/// better. The guard, which could not, hears that this process lives.
void Broker::feed_watchdog(Duration interval) {
  notify_service_manager(service_.alive() || stopping_ ? "WATCHDOG=1" : "X_ALIVE=1");
  loop_.after(interval, [this, interval] { feed_watchdog(interval); });
}

void Broker::look_at_service() {
  if (acceptors_.nobody_accepts(workers_)) choose_acceptors(AcceptorSet::Choice::kFill);
  const bool was_down = service_.down();
  service_.look();
  if (service_.down() && !was_down) turn_away();
  if (was_down && !service_.down()) turn_away_.end();
}

void Broker::turn_away() {
  turn_away_.begin(listeners_.sockets());
}

void Broker::stop() {
  // Who has not reported yet could not be told to drain. A second time nobody waits for that.
  if (takeover_.under_way() && !std::exchange(stop_when_resumed_, true)) return;
  const Duration deadline = std::exchange(stopping_, true) ? Duration{0} : settings_.drain_timeout;
  events_.emit(LogLevel::kInfo, "stopping", {{"deadline", deadline}});
  notify_service_manager("STOPPING=1\nSTATUS=Waiting for clients to leave");
  turn_away_.end();
  listeners_.close_sockets();  // new clients are refused at once, not left in a backlog
  keep_sockets();
  supervisor_.shut_down(deadline);
}

void Broker::on_all_gone() {
  remains_.when_none([this] { loop_.stop(); });
}

WorkerSettings Broker::worker_settings(Slot slot) {
  WorkerSettings settings = settings_;
  settings.cell = workers_.is_cell(slot) ? 1 : 0;
  settings.after_broker = static_cast<std::uint32_t>(
      succession_.held()                                   ? AfterBroker::kFollowers
      : settings_.on_broker_death == OnBrokerDeath::kServe ? AfterBroker::kServe
                                                           : AfterBroker::kDrain);
  settings.max_clients = workers_.soft_limit();
  const auto& run = supervisor_.cell_run(slot);
  if (run && run->nofile > 0) {
    const std::uint64_t possible = usable_descriptors(client_descriptors(run->nofile));
    const std::uint64_t most = settings.max_clients == 0 ? UINT32_MAX : settings.max_clients;
    settings.max_clients = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(possible, 1, most));
  }
  return settings;
}

std::vector<ToldListener> Broker::listeners_for(Slot slot) {
  acceptors_.begin(slot, workers_);
  std::vector<ToldListener> all;
  for (const auto& [number, listener] : listeners_.all()) {
    std::ranges::copy(told(slot, listener), std::back_inserter(all));
  }
  return all;
}

void Broker::publish(const boost::json::object& event) {
  talk_.on_event(event);
  const boost::json::value* slot = event.if_contains("slot");
  if (slot == nullptr || !slot->is_number()) return control_.publish(event);
  boost::json::object told = event;
  told["generation"] = workers_.at(slot->to_number<Slot>()).incarnation;
  control_.publish(told);
}

void Broker::tell_setup() {
  events_.emit(LogLevel::kInfo, "setup",
               {{"workers", settings_.workers},
                {"max_workers", settings_.worker_limit()},
                {"listeners", listeners_.all().size()}});
}

void Broker::tell_lost_keys(Slot slot, std::string_view why) {
  const std::size_t keys = router_.keys_of(slot);
  if (keys == 0) return;
  events_.emit(LogLevel::kInfo, "owner", {{"slot", slot}, {"keys", keys}, {"why", why}});
}

/// Before it serves anybody, so that the next broker finds it.
void Broker::on_worker_introduced(Slot slot, WorkerProcess& worker) {
  const std::uint32_t generation = workers_.at(slot).incarnation;
  if (succession_.held()) {
    succession_.keep_process(slot, generation, worker.channel_descriptor(), worker.pidfd());
  }
  succession_.when_kept([this, slot, generation] {
    WorkerProcess* kept = supervisor_.process(slot);
    if (kept != nullptr && workers_.at(slot).incarnation == generation) {
      tables_.introduce(slot, *kept);
    }
  });
}

void Broker::on_worker_online(Slot slot) {
  talk_.on_online(slot);
  succession_.note_change();
  service_.announce_ready();
}

void Broker::on_worker_drains(Slot slot) {
  tell_lost_keys(slot, "it drains");
  dispatcher_.worker_drains(slot);
  succession_.note_change();
}

void Broker::on_worker_gone(Slot slot, bool as_told) {
  ended_.add(slot, workers_.at(slot).taken, supervisor_.process(slot)->counters());
  remains_.on_end(slot);
  tell_lost_keys(slot, "it is gone");
  talk_.on_gone(slot);
  dispatcher_.worker_gone(slot);
  tables_.on_gone(slot);
  inquiries_.on_gone(slot);
  if (succession_.held()) {
    succession_.forget_process(slot, workers_.at(slot).incarnation);
    last_end_ = Clock::now();
  }
  takeover_.on_gone(slot);
  if (!as_told && supervisor_.process(slot)->had_sockets()) listeners_.distrust();
}

void Broker::tick() {
  const auto limit = static_cast<std::uint64_t>(settings_.ping_limit / kTick) + 1;
  const auto held_up = [this](Slot slot) {
    const WorkerProcess* worker = supervisor_.process(slot);
    return worker != nullptr && worker->waits_for_quota();
  };
  for (const Slot slot : dispatcher_.tick(limit, held_up)) {
    supervisor_.kill_hung(slot, "hung: a client was sent to it and never acknowledged");
  }
  watch_quota();
  talk_.tick();
  catch_up_log();
  succession_.note_change();  // what was counted
  remains_.look();
  trespass_.watch_limits();
  keep_up_sockets();
  choose_acceptors(++ticks_ % kTicksToThorough == 0 ? AcceptorSet::Choice::kThorough
                                                    : AcceptorSet::Choice::kFill);
  loop_.after(kTick, [this] { tick(); });
}

void Broker::watch_quota() {
  constexpr std::uint32_t kPatience = 3;       // ticks: a burst of clients is soon over
  constexpr std::size_t kDescriptors = 2'048;  // of a worker that are looked at
  constexpr std::uint64_t kTellAgain = 120;    // ticks
  quota_exceeded_ = may_pass_no_descriptor() ? quota_exceeded_ + 1 : 0;
  if (quota_exceeded_ < kPatience || quota_exceeded_ % kPatience != 0) return;
  // Of many descriptors the next ones in each look.
  const std::uint64_t from = (quota_exceeded_ / kPatience - 1) * kDescriptors % descriptor_limit();
  std::vector<Slot> slots;
  std::vector<QueuedDescriptors> queued;
  supervisor_.for_each_ready([&](Slot slot, WorkerProcess& worker) {
    if (!worker.hears()) return;
    slots.push_back(slot);
    queued.push_back(
        descriptors_left_by(worker.pid(), worker.channel_inode(), {from, kDescriptors}));
  });
  if (const auto found = who_uses_up(queued, descriptor_limit())) {
    const std::string many = queued[*found].hidden
                                 ? "descriptors that it hides"
                                 : fmt::format("{} descriptors", queued[*found].count);
    return supervisor_.kill_hung(
        slots[*found], fmt::format("it leaves {} in sockets of its own or of its children, and "
                                   "nobody can pass any more: RLIMIT_NOFILE counts those in flight",
                                   many));
  }
  if (quota_exceeded_ % kTellAgain != kPatience) return;
  events_.emit(LogLevel::kError, "descriptors",
               {{"why",
                 "more are in flight than RLIMIT_NOFILE allows this user: clients cannot be "
                 "handed over until they are received"}});
}

void Broker::flush_outboxes() {
  dispatcher_.flush(loop_.now(), [this](Slot slot, const Outbox& outbox) {
    if (WorkerProcess* worker = supervisor_.process(slot)) worker->send_outbox(outbox);
  });
  if (flush_timer_armed_) return;
  const auto due = dispatcher_.flush_due();
  if (!due) return;
  flush_timer_armed_ = true;
  const Duration left = std::chrono::ceil<Duration>(*due - loop_.now());
  loop_.after(std::max(left, Duration{0}), [this] { flush_timer_armed_ = false; });
}

void Broker::tell_refusals() {
  const std::uint64_t refused = refusals_.due(dispatcher_.counters().busy, loop_.now());
  if (refused == 0) return;
  events_.emit(LogLevel::kWarning, "overload",
               {{"busy", refused},
                {"online", workers_.count(WorkerState::kOnline)},
                {"maximum", scaler_.rules().maximum}});
}

void Broker::end_turn() {
  tables_.end_turn();
  if (dispatcher_.waiting() > 0) {
    const std::size_t demand = dispatcher_.demand(loop_.now());
    if (demand > 0) supervisor_.grow(scaler_.wanted(workers_, demand));
    dispatcher_.wake_waiting(loop_.now());
  } else if (settings_.grow_at < 100) {
    supervisor_.grow(scaler_.wanted(workers_, 0));
  }
  tell_cells();  // before their slots are others'
  supervisor_.tend_cells();
  tell_cells();
  flush_outboxes();
  talk_.end_turn();
  if (!stopping_ && !takeover_.under_way()) look_at_service();
  tell_refusals();
  if (succession_.held()) {
    if (succession_.has_changed()) succession_.write(state());
    succession_.end_turn();
  }
  if (dispatcher_.waiting() > 0) wait_deadlines_.by(loop_.now() + kWaitTick);
}

}  // namespace mpb
