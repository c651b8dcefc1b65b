#include "broker/broker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

#include "broker/dispatch/client_limit.hpp"
#include "broker/workers/descriptor_plan.hpp"
#include "broker/workers/quota_watch.hpp"
#include "broker/workers/worker_environment.hpp"
#include "common/config/listen_names.hpp"
#include "common/listen/inherited_sockets.hpp"
#include "common/process/process.hpp"
#include "common/process/program.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kLeastCredit = 16;  // see delivery_window: until that is known
constexpr std::uint8_t kMaxAttempts = 16;   // offers of one client until it is refused
constexpr Duration kTick{500};              // between two looks at overdue Acks and at sockets
constexpr Duration kWaitTick{20};           // how exactly waiting clients' deadlines are kept

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
      router_(workers_, settings_.max_keys, std::random_device{}()),
      scaler_(scaler_rules()),
      dispatcher_(workers_, router_, scaler_, generation()),
      supervisor_(loop, settings_, workers_, scaler_, events_, *this),
      inquiries_(
          loop, static_cast<std::uint64_t>(generation()) << 32U,
          [this](const channel::Query& query, Inquiry& inquiry) {
            supervisor_.for_each_ready([&](Slot slot, WorkerProcess& worker) {
              inquiry.expect(slot);
              if (!worker.ask(query)) inquiry.give_up(slot);
            });
          },
          settings_.answer_timeout),
      control_(loop, *this),
      trespass_(loop, kinship_,
                [this](pid_t pid, const std::string& why) { supervisor_.eject(pid, why); }),
      turn_away_(loop) {
  dispatcher_.set_wait_limit(wait_limit(settings_));
  dispatcher_.set_max_attempts(kMaxAttempts);
  dispatcher_.set_handoff_window(WorkerProcess::kHandoffWindow);
  loop_.after(kTick, [this] { tick(); });
  control_.admit_by([this](int client) { return trespass_.refuse_peer(client); });
  events_.set_publisher([this](const boost::json::object& event) { control_.publish(event); });
  loop_.at_turn_end([this] { end_turn(); });
}

Result<ChildOptions> Broker::worker_program(const Settings& settings) {
  ChildOptions program;
  program.program = settings.worker_program;
  if (program.program.empty()) {
    auto found = find_program("mpworker");
    if (!found) return found.error();
    program.program = *std::move(found);
  }
  program.environment = worker_environment(environ, settings.worker_environment);
  program.environment.emplace_back("MPBROKER_CHANNEL=3");
  program.environment.push_back(
      fmt::format("MPBROKER_LOG_LEVEL={}", to_string(settings.log_level)));
  program.environment.push_back(
      fmt::format("MPBROKER_SANDBOX={}", settings.sandbox == Sandbox::kStrict ? "strict" : "no"));
  if (settings.sandbox == Sandbox::kStrict) {
    auto confinement = Confinement::get();
    if (!confinement) return confinement.error();
    program.confinement = *std::move(confinement);
  }
  program.holds_requests = settings.worker_program.empty();
  program.begins_descent = true;
  return program;
}

Result<WorkerAccounts> Broker::worker_accounts(const Settings& settings) {
  auto accounts = WorkerAccounts::find(settings.user, settings.group, settings.worker_limit());
  if (!accounts) {
    return usage_error(fmt::format("user = {}: {}", settings.user, accounts.error().text));
  }
  const auto first = accounts->of(0);
  if (first && !may_assume(*first)) {
    return usage_error(
        "user or group: only root, or who has CAP_SETUID and CAP_SETGID, can start workers as "
        "somebody else: leave them out, or start mpbroker so");
  }
  if (first && !may_kill(*first)) {
    return usage_error("user: without CAP_KILL mpbroker cannot end workers of another user");
  }
  return accounts;
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

Status Broker::start() {
  auto program = worker_program(settings_);
  if (!program) return program.error();
  auto accounts = worker_accounts(settings_);
  if (!accounts) return accounts.error();
  if (program->confinement) log_missing_sandbox();
  supervisor_.set_program(std::move(*program));
  run_workers_as(std::move(*accounts));
  UniqueFd control;
  if (const Status taken = take_sockets(control); !taken) return taken;
  const auto opened = listeners_.apply(settings_);
  if (!opened) return opened.error();
  if (const Status open = open_control(std::move(control)); !open) return open;
  for (const std::uint16_t number : opened->opened) tell_listening(number);
  vhosts_.replace(std::move(settings_.vhosts));
  apply_pins(pins_.configure(configured_pins()));
  apply_client_limit();
  warn_of_descriptors();
  supervisor_.apply_rules();
  if (const auto interval = watchdog_interval()) feed_watchdog(*interval);
  return {};
}

/// What the service manager has passed, for the listeners and, in `control`, the control socket.
Status Broker::take_sockets(UniqueFd& control) {
  if (const Status resolved = resolve_listeners(settings_.listeners); !resolved) return resolved;
  auto inherited = take_inherited_sockets();
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
  Status opened = control_.open(path, std::move(inherited));
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
  if (let_go && service_.state == ServiceState::kDown) turn_away();
  for (const std::uint16_t number : renewed) {
    const ListenerSet::Listener& listener = *listeners_.find(number);
    supervisor_.for_each_process([&](Slot slot, WorkerProcess& worker) {
      if (accepts(slot)) offer(worker, slot, listener);
    });
  }
  control_.keep_up();
}

void Broker::offer(WorkerProcess& worker, Slot slot, const ListenerSet::Listener& listener) {
  for (const ListenerOffer& offer : ListenerSet::offers(listener, accepts(slot))) {
    worker.offer(offer);
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

/// Not while nobody is served nor will be: the service manager may do better.
void Broker::feed_watchdog(Duration interval) {
  if (service_.alive || stopping_) notify_service_manager("WATCHDOG=1");
  loop_.after(interval, [this, interval] { feed_watchdog(interval); });
}

void Broker::announce_ready() {
  if (announced_) return;
  for (Slot slot = 0; slot < settings_.workers; ++slot) {
    if (!workers_.online(slot)) return;
  }
  announced_ = true;
  tell_online("READY=1\n");
}

void Broker::tell_online(std::string_view first) {
  told_online_ = workers_.count(WorkerState::kOnline);
  notify_service_manager(fmt::format("{}STATUS={} workers online", first, told_online_));
}

std::string Broker::service_trouble() const {
  if (service_.culprit == kNoSlot) {
    return service_.state == ServiceState::kRunning ? "" : "no worker that accepts is online";
  }
  const std::string& exit = supervisor_.last_exit(service_.culprit);
  return fmt::format("worker {} is {}: {}", service_.culprit,
                     to_string(workers_.at(service_.culprit).state),
                     exit.empty() ? "it has not become ready" : exit);
}

void Broker::update_service() {
  if (stopping_ || workers_.changes() == service_seen_) return;
  service_seen_ = workers_.changes();
  const ServiceView before = std::exchange(
      service_, view_service(workers_, settings_.workers, settings_.acceptor_count()));
  if (service_.state == before.state) {
    const bool changed = told_online_ != workers_.count(WorkerState::kOnline);
    if (announced_ && changed && service_.state == ServiceState::kRunning) tell_online();
    return;
  }
  if (service_.state == ServiceState::kDown) turn_away();
  if (before.state == ServiceState::kDown) turn_away_.end();
  tell_service();
}

void Broker::turn_away() {
  turn_away_.begin(listeners_.sockets());
}

void Broker::tell_service() {
  const std::string why = service_trouble();
  events_.emit(why.empty() ? LogLevel::kInfo : LogLevel::kError, "state",
               {{"state", to_string(service_.state)}, {"why", why}});
  if (why.empty()) return tell_online();
  notify_service_manager(
      fmt::format("STATUS=The service is {}: {}", to_string(service_.state), why));
}

void Broker::stop() {
  const Duration deadline = std::exchange(stopping_, true) ? Duration{0} : settings_.drain_timeout;
  events_.emit(LogLevel::kInfo, "stopping", {{"deadline", deadline}});
  notify_service_manager("STOPPING=1\nSTATUS=Waiting for clients to leave");
  turn_away_.end();
  listeners_.close_sockets();  // new clients are refused at once, not left in a backlog
  supervisor_.shut_down(deadline);
}

void Broker::on_all_gone() {
  remains_.when_none([this] { loop_.stop(); });
}

WorkerSettings Broker::worker_settings() {
  WorkerSettings settings = settings_;
  settings.max_clients = workers_.soft_limit();
  return settings;
}

std::vector<ListenerOffer> Broker::listener_offers(Slot slot) {
  std::vector<ListenerOffer> offers;
  for (const auto& [number, listener] : listeners_.all()) {
    for (const ListenerOffer& offer : ListenerSet::offers(listener, accepts(slot))) {
      offers.push_back(offer);
    }
  }
  return offers;
}

void Broker::on_worker_online(Slot) {
  announce_ready();
}

void Broker::on_worker_drains(Slot slot) {
  dispatcher_.worker_drains(slot);
}

void Broker::on_worker_gone(Slot slot, bool as_told) {
  ended_.add(slot, workers_.at(slot).taken, supervisor_.process(slot)->counters());
  remains_.on_end(slot);
  dispatcher_.worker_gone(slot);
  inquiries_.on_gone(slot);
  if (!as_told && accepts(slot)) listeners_.distrust();
}

std::string_view Broker::on_worker_message(Slot slot, const channel::Message& message,
                                           ForeignDescriptor descriptor) {
  using namespace channel;  // NOLINT(*-using-namespace): the message types
  if (const auto* handoff = std::get_if<Handoff>(&message)) {
    return on_handoff(slot, *handoff, std::move(descriptor));
  }
  if (const auto* ack = std::get_if<Ack>(&message)) return on_ack(slot, *ack);
  if (const auto* nack = std::get_if<Nack>(&message)) return on_nack(slot, *nack);
  if (const auto* idle = std::get_if<Idle>(&message)) return on_idle(slot, *idle);
  if (const auto* load = std::get_if<Load>(&message)) {
    workers_.report(slot, load->clients, load->held);
    return {};
  }
  if (const auto* answer = std::get_if<Answer>(&message)) {
    inquiries_.on_answer(slot, *answer);
    return {};
  }
  if (const auto* notice = std::get_if<Notice>(&message)) {
    notices_.tell(slot, *notice, loop_.now());
    return {};
  }
  return "a message that only a broker sends";
}

std::string_view Broker::on_handoff(Slot slot, const channel::Handoff& handoff,
                                    ForeignDescriptor descriptor) {
  if (!listeners_.was_given(handoff.client.listener)) {
    close_foreign(std::move(descriptor));
    return "a Handoff of a listener that never was";
  }
  const ListenerSet::Listener* listener = listeners_.find(handoff.client.listener);
  // Newer workers do not know a withdrawn listener: its last clients stay where they are.
  static const RoutingRules kWithdrawn{UINT16_MAX, Policy::kLocal, Overflow::kSpill, false};
  const Dispatch dispatch =
      dispatcher_.on_handoff(slot, handoff, listener != nullptr ? listener->rules : kWithdrawn,
                             descriptor.fd.valid(), loop_.now());
  if (dispatch.kind != Dispatch::Kind::kDeliver) {
    close_foreign(std::move(descriptor));
    return dispatch.why;
  }
  const bool tcp = descriptor.kind == StreamKind::kTcp;
  const channel::Deliver delivery{dispatch.delivery,
                                  handoff.handoff,
                                  slot,
                                  dispatch.epoch,
                                  tcp ? channel::Deliver::kTcp : std::uint16_t{0},
                                  handoff.client};
  WorkerProcess* target = supervisor_.process(dispatch.slot);
  const Status sent = target == nullptr ? unavailable_error("it has ended")
                                        : target->deliver(delivery, descriptor.fd.get());
  if (sent) {
    close_client(std::move(descriptor));
    return {};
  }
  close_foreign(std::move(descriptor));
  const int code = sent.error().code;
  dispatcher_.undo(dispatch.delivery, code == EMFILE || code == ENFILE);
  return {};
}

std::string_view Broker::on_ack(Slot slot, const channel::Ack& ack) {
  workers_.report(slot, ack.load.clients, ack.load.held);
  bool known = true;
  for (const std::uint64_t delivery : ack.deliveries) {
    known = dispatcher_.on_ack(slot, delivery, loop_.now()) && known;
  }
  return known ? "" : "an Ack of a client that is not on its way to it";
}

std::string_view Broker::on_nack(Slot slot, const channel::Nack& nack) {
  bool known = true;
  bool its_own = true;
  for (const channel::NackEntry entry : nack.entries) {
    its_own = entry.reason <= channel::NackReason::kUnknown && its_own;
    known = dispatcher_.on_nack(slot, entry.id) && known;
    if (entry.reason == channel::NackReason::kDraining) supervisor_.note_draining(slot);
  }
  if (!its_own) return "a Nack with a reason that only a broker gives";
  return known ? "" : "a Nack of a client that is not on its way to it";
}

std::string_view Broker::on_idle(Slot slot, const channel::Idle& idle) {
  std::string_view rest = idle.keys;
  channel::KeyEntry entry;
  std::uint32_t void_entries = 0;
  while (channel::next_key(rest, entry)) {
    if (!router_.release(slot, entry.space, entry.key, entry.epoch)) ++void_entries;
  }
  WorkerProcess* worker = supervisor_.process(slot);
  return worker == nullptr || worker->spend(void_entries) ? "" : "a flood of messages";
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
  catch_up_log();
  remains_.look();
  trespass_.watch_limits();
  keep_up_sockets();
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
  if (dispatcher_.waiting() > 0) {
    const std::size_t demand = dispatcher_.demand(loop_.now());
    if (demand > 0) supervisor_.grow(scaler_.wanted(workers_, demand));
    dispatcher_.wake_waiting(loop_.now());
  } else if (settings_.grow_at < 100) {
    supervisor_.grow(scaler_.wanted(workers_, 0));
  }
  flush_outboxes();
  update_service();
  tell_refusals();
  if (dispatcher_.waiting() > 0 && !wait_timer_armed_) {
    wait_timer_armed_ = true;
    loop_.after(kWaitTick, [this] { wait_timer_armed_ = false; });
  }
}

}  // namespace mpb
