#include "broker/broker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "broker/client_limit.hpp"
#include "common/process.hpp"
#include "common/service_manager.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kCredit = 256;     // deliveries to a worker without an Ack
constexpr std::uint32_t kWindow = 1024;    // handoffs of a worker without a verdict
constexpr std::uint8_t kMaxAttempts = 16;  // offers of one client until it is refused
constexpr Duration kTick{500};             // between two looks at overdue Acks
constexpr Duration kWaitTick{100};         // how exactly waiting clients' deadlines are kept

/// Differs between a broker and the one before it: seconds since 1970, as far as 32 bits go.
std::uint32_t generation() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

std::uint32_t milliseconds(Duration duration) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>(duration.count(), UINT32_MAX));
}

}  // namespace

Broker::Broker(EventLoop& loop, Settings settings, SettingsReader read_settings)
    : loop_(loop),
      settings_(std::move(settings)),
      configured_limit_(settings_.worker_limit()),
      read_settings_(std::move(read_settings)),
      workers_(settings_.max_clients, kCredit),
      router_(workers_, settings_.max_keys, std::random_device{}()),
      scaler_(scaler_rules()),
      dispatcher_(workers_, router_, scaler_, generation()),
      supervisor_(loop, settings_, workers_, scaler_, events_, *this),
      inquiries_(loop, static_cast<std::uint64_t>(generation()) << 32U,
                 [this](const channel::Query& query, Inquiry& inquiry) {
                   supervisor_.for_each_ready([&](Slot slot, WorkerProcess& worker) {
                     inquiry.expect(slot);
                     if (!worker.ask(query)) inquiry.give_up(slot);
                   });
                 }),
      control_(loop, *this) {
  dispatcher_.set_wait_limit(wait_limit(settings_));
  dispatcher_.set_max_attempts(kMaxAttempts);
  dispatcher_.set_handoff_window(kWindow);
  loop_.after(kTick, [this] { tick(); });
  events_.set_publisher([this](const boost::json::object& event) { control_.publish(event); });
  loop_.at_turn_end([this] { end_turn(); });
}

Result<ChildOptions> Broker::worker_program(const Settings& settings) {
  ChildOptions program;
  program.program =
      settings.worker_program.empty() ? program_beside_this("mpworker") : settings.worker_program;
  program.environment = {"MPBROKER_CHANNEL=3",
                         fmt::format("MPBROKER_LOG_LEVEL={}", to_string(settings.log_level))};
  if (!settings.user.empty() || !settings.group.empty()) {
    auto credentials = find_credentials(settings.user, settings.group);
    if (!credentials) return credentials.error();
    program.run_as = *credentials;
  }
  return program;
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
  supervisor_.set_program(std::move(*program));
  listeners_.adopt(take_inherited_sockets());
  const auto opened = listeners_.apply(settings_.listeners);
  if (!opened) return opened.error();
  if (!settings_.control_socket.empty()) {
    if (const Status control = control_.open(settings_.control_socket); !control) return control;
  }
  for (const std::uint16_t number : opened->opened) tell_listening(number);
  vhosts_.replace(std::move(settings_.vhosts));
  apply_pins(pins_.configure(configured_pins()));
  apply_client_limit();
  supervisor_.apply_rules();
  if (const auto interval = watchdog_interval()) feed_watchdog(*interval);
  return {};
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
}

void Broker::feed_watchdog(Duration interval) {
  notify_service_manager("WATCHDOG=1");
  loop_.after(interval, [this, interval] { feed_watchdog(interval); });
}

void Broker::announce_ready() {
  if (announced_) return;
  for (Slot slot = 0; slot < settings_.workers; ++slot) {
    if (!workers_.online(slot)) return;
  }
  announced_ = true;
  notify_service_manager(
      fmt::format("READY=1\nSTATUS={} workers online", workers_.count(WorkerState::kOnline)));
}

void Broker::stop() {
  const Duration deadline = std::exchange(stopping_, true) ? Duration{0} : settings_.drain_timeout;
  events_.emit(LogLevel::kInfo, "stopping", {{"deadline", deadline}});
  notify_service_manager("STOPPING=1\nSTATUS=Waiting for clients to leave");
  listeners_.close_sockets();  // new clients are refused at once, not left in a backlog
  supervisor_.shut_down(deadline);
}

void Broker::on_all_gone() {
  loop_.stop();
}

channel::Configure Broker::configure_message(Slot slot) {
  channel::Configure message;
  message.slot = slot;
  message.max_attempts = kMaxAttempts;
  message.max_clients = workers_.soft_limit();
  message.window = kWindow;
  message.header_timeout_ms = milliseconds(settings_.header_timeout);
  message.idle_timeout_ms = milliseconds(settings_.idle_timeout);
  message.send_timeout_ms = milliseconds(settings_.send_timeout);
  message.route_timeout_ms = milliseconds(settings_.route_timeout);
  message.key_linger_ms = milliseconds(settings_.key_linger);
  message.drain_timeout_ms = milliseconds(settings_.drain_timeout);
  message.clients_per_source = settings_.clients_per_source;
  message.flags = channel::Configure::kTakesNotices;
  return message;
}

std::vector<ListenerOffer> Broker::listener_offers(Slot slot) {
  std::vector<ListenerOffer> offers;
  for (const auto& [number, listener] : listeners_.all()) {
    offers.push_back(ListenerSet::offer(listener, accepts(slot)));
  }
  return offers;
}

void Broker::on_worker_online(Slot) {
  announce_ready();
}

void Broker::on_worker_drains(Slot slot) {
  dispatcher_.worker_drains(slot);
}

void Broker::on_worker_gone(Slot slot) {
  dispatcher_.worker_gone(slot);
  inquiries_.on_gone(slot);
}

std::string_view Broker::on_worker_message(Slot slot, const channel::Message& message,
                                           UniqueFd descriptor) {
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
                                    UniqueFd descriptor) {
  if (!listeners_.was_given(handoff.listener)) {
    if (descriptor) dont_linger(descriptor.get());
    return "a Handoff of a listener that never was";
  }
  const ListenerSet::Listener* listener = listeners_.find(handoff.listener);
  // Newer workers do not know a withdrawn listener: its last clients stay where they are.
  static const RoutingRules kWithdrawn{UINT16_MAX, Policy::kLocal, Overflow::kSpill, false};
  const Dispatch dispatch =
      dispatcher_.on_handoff(slot, handoff, listener != nullptr ? listener->rules : kWithdrawn,
                             descriptor.valid(), loop_.now());
  // Once it is sent on, a copy is on its way, and our close(2) is not the last.
  if (dispatch.kind != Dispatch::Kind::kDeliver) {
    if (descriptor) dont_linger(descriptor.get());
    return dispatch.why;
  }
  channel::Deliver delivery;
  delivery.delivery = dispatch.delivery;
  delivery.handoff = handoff.handoff;
  delivery.origin = slot;
  delivery.listener = handoff.listener;
  delivery.epoch = dispatch.epoch;
  delivery.hops = static_cast<std::uint16_t>(std::min(handoff.hops + 1, UINT16_MAX));
  delivery.key = handoff.key;
  delivery.state = handoff.state;
  delivery.prefix = handoff.prefix;
  WorkerProcess* target = supervisor_.process(dispatch.slot);
  if (target == nullptr || !target->deliver(delivery, descriptor.get())) {
    dont_linger(descriptor.get());
    dispatcher_.undo(dispatch.delivery);
  }
  return {};
}

std::string_view Broker::on_ack(Slot slot, const channel::Ack& ack) {
  workers_.report(slot, ack.load.clients, ack.load.held);
  bool known = true;
  channel::for_each_id(ack.deliveries, [&](std::uint64_t delivery) {
    known = dispatcher_.on_ack(slot, delivery) && known;
  });
  return known ? "" : "an Ack of a client that is not on its way to it";
}

std::string_view Broker::on_nack(Slot slot, const channel::Nack& nack) {
  bool known = true;
  bool its_own = true;
  channel::for_each_nack(nack.entries, [&](const channel::NackEntry& entry) {
    its_own = entry.reason <= channel::NackReason::kUnknown && its_own;
    known = dispatcher_.on_nack(slot, entry.id) && known;
    if (entry.reason == channel::NackReason::kDraining) supervisor_.note_draining(slot);
  });
  if (!its_own) return "a Nack with a reason that only a broker gives";
  return known ? "" : "a Nack of a client that is not on its way to it";
}

std::string_view Broker::on_idle(Slot slot, const channel::Idle& idle) {
  std::string_view rest = idle.entries;
  channel::KeyEntry entry;
  while (channel::next_key(rest, entry)) {
    router_.release(slot, entry.space, entry.key, entry.epoch);
  }
  return {};
}

void Broker::tick() {
  const auto limit = static_cast<std::uint64_t>(settings_.ping_limit / kTick) + 1;
  for (const Slot slot : dispatcher_.tick(limit)) {
    supervisor_.kill_hung(slot, "hung: a client was sent to it and never acknowledged");
  }
  loop_.after(kTick, [this] { tick(); });
}

void Broker::flush_outboxes() {
  dispatcher_.flush([this](Slot slot, const Outbox& outbox) {
    if (WorkerProcess* worker = supervisor_.process(slot)) worker->send_outbox(outbox);
  });
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
    supervisor_.grow(scaler_.wanted(workers_, dispatcher_.waiting()));
    dispatcher_.wake_waiting(loop_.now());
  } else if (settings_.grow_at < 100) {
    supervisor_.grow(scaler_.wanted(workers_, 0));
  }
  flush_outboxes();
  tell_refusals();
  if (dispatcher_.waiting() > 0 && !wait_timer_armed_) {
    wait_timer_armed_ = true;
    loop_.after(kWaitTick, [this] { wait_timer_armed_ = false; });
  }
}

}  // namespace mpb
