// Broker: goes on where a broker before it was killed, and leaves to the next one what that needs.
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <random>
#include <utility>

#include "broker/broker.hpp"
#include "common/config/option_values.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

/// A worker that ended no longer ago may have read what its origin does not know to be settled.
constexpr std::chrono::minutes kRecently{1};

std::uint64_t random_number() {
  std::random_device dice;
  return (std::uint64_t{dice()} << 32U) | dice();
}

std::uint64_t milliseconds(TimePoint time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Duration>(time.time_since_epoch()).count());
}

/// Of this machine since it was started; one from before has no meaning.
TimePoint time_point(std::uint64_t ms) {
  const TimePoint time{Duration{static_cast<std::int64_t>(ms)}};
  return std::min(time, Clock::now());
}

std::uint64_t own_cpu_ms() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1000 +
           static_cast<std::uint64_t>(time.tv_usec) / 1000;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

std::string bytes_of(const Endpoint& endpoint) {
  return {reinterpret_cast<const char*>(&endpoint.address), endpoint.length};
}

Endpoint endpoint_of(std::string_view bytes) {
  Endpoint endpoint;
  endpoint.length = static_cast<socklen_t>(std::min(bytes.size(), sizeof endpoint.address));
  std::memcpy(&endpoint.address, bytes.data(), endpoint.length);
  return endpoint;
}

}  // namespace

void Broker::resume_books() {
  if (!succession_.held()) return;
  const BrokerState* left = succession_.predecessor();
  seal_ = {random_number(), random_number()};
  if (left == nullptr) {
    succession_.end_rest();
  } else {
    generation_ = std::max(generation_, left->generation + 1);
    seal_ = left->seal;
    router_.set_next_epoch(std::max(left->next_epoch, 1U));
    widest_window_ = left->widest_window;
    last_end_ = time_point(left->last_end_ms);
    before_ = counts_before(left->counts);
    ended_ = ended_totals(left->counts);
    stop_when_resumed_ = left->stopping != 0;
    if (left->workers > 0 && left->workers <= kMaxWorkers) {
      settings_.workers = operators_workers_ = static_cast<Slot>(left->workers);
      settings_.max_workers = std::max(configured_limit_, settings_.workers);
      scaler_.set_rules(scaler_rules());
    }
    widen_window();
    resume_listeners(*left);
    // Another broker that follows this one at any moment has another generation.
    BrokerState mine = *left;
    mine.generation = generation_;
    succession_.write(mine);
    succession_.note_change();
  }
  talk_.begin_after(generation_ << 32U);
  router_.set_seal(Seal(seal_));
  dispatcher_.set_seal(Seal(seal_));
}

void Broker::resume_listeners(const BrokerState& left) {
  std::map<std::string, std::uint16_t> spaces;
  for (const SpaceState& space : left.spaces) spaces[space.protocol] = space.number;
  std::vector<ListenerSet::Left> listeners;
  for (const ListenerState& one : left.listeners) {
    ListenerSet::Left& listener = listeners.emplace_back();
    listener.number = one.number;
    listener.settings.name = one.name;
    listener.settings.protocol = one.protocol;
    listener.settings.handler = one.handler;
    listener.settings.key = static_cast<KeyGranularity>(one.key_granularity);
    listener.settings.prefix = static_cast<ClientPrefix>(one.prefix);
    listener.wanted = endpoint_of(one.wanted);
    listener.socket = succession_.take_listener(one.number);
  }
  succession_.drop_listeners();
  listeners_.resume(std::move(listeners), std::move(spaces), left.next_listener);
}

void Broker::resume_changes(const BrokerState& left) {
  std::map<std::string, std::string> vhosts;
  for (const VhostState& vhost : left.vhosts) vhosts[vhost.name] = vhost.text;
  for (const std::string& why : vhosts_.resume(vhosts, settings_)) {
    log_error("succession.vhost")("why", why)(
        "help", "what mpctl had changed does not hold any more: change it anew, or the file");
  }
  for (const PinState& pin : left.pins) {
    std::vector<Slot> slots = pin.slots;
    std::erase_if(slots, [](Slot slot) { return slot >= kMaxWorkers; });
    apply_pins(pins_.set({pin.space, pin.key}, std::move(slots)));
  }
}

void Broker::resume_workers() {
  const BrokerState* left = succession_.predecessor();
  if (left == nullptr) return;
  std::size_t slots = scaler_.rules().maximum;
  for (const SlotState& slot : left->slots) {
    if (slot.slot < kMaxWorkers) slots = std::max<std::size_t>(slots, slot.slot + 1U);
  }
  supervisor_.resume_slots(slots);
  takeover_.begin(Seal(seal_), widest_window_);
  for (const SlotState& slot : left->slots) {
    if (slot.slot >= kMaxWorkers || resume_worker(slot, left->counts)) continue;
    workers_.resume(slot.slot, slot.generation, 0);
    supervisor_.resume_record(slot.slot, slot.restarts, (slot.flags & SlotState::kParked) != 0);
    if (slot.pid != 0) takeover_.lose();
  }
  const std::vector<std::uint16_t> withdrawn = withdrawn_lately();
  supervisor_.for_each_process([&withdrawn](Slot, WorkerProcess& worker) {
    for (const std::uint16_t number : withdrawn) worker.unlisten(number);
  });
  succession_.end_rest();
  if (last_end_ != TimePoint{} && Clock::now() - last_end_ < kRecently) takeover_.lose();
  log_info("succession")("generation", generation_)("workers", [this] {
    std::size_t count = 0;
    supervisor_.for_each_process([&count](Slot, WorkerProcess&) { ++count; });
    return count;
  }());
  takeover_.look();
}

bool Broker::resume_worker(const SlotState& left, const std::vector<CountState>& counts) {
  if (left.pid == 0) return false;
  auto process = succession_.take_process(left.slot, left.generation);
  if (!process) return false;
  auto worker = WorkerProcess::take_over(
      loop_, left.slot, std::move(process->channel), supervisor_.process_owner(),
      supervisor_.on_message(),
      [&](auto on_exit) {
        return Child::take_over(loop_, static_cast<pid_t>(left.pid), std::move(process->pidfd),
                                succession_.exits(), std::move(on_exit));
      },
      generation_);
  if (!worker) {
    log_error("succession.worker")("slot", left.slot)("why", worker.error().text);
    succession_.forget_process(left.slot, left.generation);
    return false;
  }
  std::uint64_t taken = 0;
  (*worker)->set_counters(reported_counters(counts, left.slot, taken));
  workers_.resume(left.slot, left.generation, taken);
  const auto role = static_cast<CellRole>(left.role);
  const bool drains = (left.flags & SlotState::kToldToDrain) != 0;
  if (role > CellRole::kNone && role <= CellRole::kClient) {
    cells_.resume(left.slot, role, left.name, drains || role == CellRole::kClient,
                  time_point(left.started_ms), loop_.now());
  }
  std::optional<CellRun> run;
  if (!left.user.empty() || left.nofile > 0) run = CellRun{left.user, {}, {}, left.nofile};
  supervisor_.resume({left.slot, drains, (left.flags & SlotState::kEndsWhenEmpty) != 0,
                      (left.flags & SlotState::kReady) != 0, left.restarts,
                      time_point(left.started_ms), std::move(run)},
                     std::move(*worker));
  remains_.take_over(left.slot, static_cast<pid_t>(left.pid));
  takeover_.expect(left.slot);
  return true;
}

/// Listeners that workers may still accept from: the configuration has changed, or the broker
/// before was killed in the midst of a reload.
std::vector<std::uint16_t> Broker::withdrawn_lately() const {
  constexpr unsigned kMost = 256;  // numbers back: more no reload has withdrawn in a moment
  std::vector<std::uint16_t> withdrawn;
  const unsigned next = listeners_.next_number();
  for (unsigned number = next > kMost ? next - kMost : 0; number < next; ++number) {
    const auto candidate = static_cast<std::uint16_t>(number);
    if (listeners_.find(candidate) == nullptr) withdrawn.push_back(candidate);
  }
  return withdrawn;
}

void Broker::on_takeover_done() {
  flush_outboxes();
  succession_.note_change();
  // Who is told that it is ready may pass on an order to stop that this one knows of.
  if (std::exchange(stop_when_resumed_, false)) stop();
  service_.announce();
}

void Broker::keep_sockets() {
  if (!succession_.held()) return;
  std::map<std::uint16_t, int> sockets;
  for (const auto& [number, listener] : listeners_.all()) {
    // What the service manager has opened it passes again by itself.
    const bool own = listener.socket && !listener.socket->inherited();
    if (own && listener.socket->descriptor() >= 0) sockets[number] = listener.socket->descriptor();
  }
  succession_.keep_control(control_.descriptor());
  succession_.keep_listeners(sockets);
}

SlotState Broker::state_of_slot(Slot slot) const {
  SlotState state;
  state.slot = slot;
  state.generation = workers_.at(slot).incarnation;
  state.restarts = supervisor_.restarts(slot);
  const WorkerProcess* process = supervisor_.process(slot);
  if (workers_.at(slot).state == WorkerState::kParked) state.flags |= SlotState::kParked;
  if (process == nullptr) return state;
  state.pid = static_cast<std::uint32_t>(process->pid());
  if (process->ready()) state.flags |= SlotState::kReady;
  state.role = static_cast<std::uint8_t>(cells_.role(slot));
  state.name = cells_.name(slot);
  state.started_ms = milliseconds(supervisor_.started(slot));
  if (const auto& run = supervisor_.cell_run(slot)) {
    state.user = run->user;
    state.nofile = run->nofile;
  }
  if (supervisor_.told_to_drain(slot)) state.flags |= SlotState::kToldToDrain;
  if (supervisor_.ends_when_empty(slot)) state.flags |= SlotState::kEndsWhenEmpty;
  if (workers_.at(slot).state == WorkerState::kDraining) state.flags |= SlotState::kDraining;
  return state;
}

BrokerState Broker::state() const {
  BrokerState state;
  state.generation = generation_;
  state.seal = seal_;
  state.next_epoch = router_.next_epoch();
  state.widest_window = widest_window_;
  state.last_end_ms = milliseconds(last_end_);
  state.stopping = stopping_ || stop_when_resumed_ ? 1 : 0;
  state.workers = operators_workers_;
  state.next_listener = listeners_.next_number();
  for (Slot slot = 0; slot < workers_.size(); ++slot) {
    if (workers_.at(slot).incarnation == 0) continue;
    state.slots.push_back(state_of_slot(slot));
    const WorkerProcess* process = supervisor_.process(slot);
    if (process == nullptr) continue;
    std::ranges::move(state_of(slot, workers_.at(slot).taken, process->counters()),
                      std::back_inserter(state.counts));
  }
  for (const auto& [number, listener] : listeners_.all()) {
    const ListenerSettings& settings = listener.settings;
    state.listeners.push_back({number, settings.name, settings.protocol, settings.handler,
                               static_cast<std::uint8_t>(settings.key),
                               static_cast<std::uint8_t>(settings.prefix),
                               bytes_of(listener.wanted)});
  }
  for (const auto& [protocol, number] : listeners_.spaces()) {
    state.spaces.push_back({number, protocol});
  }
  for (const auto& [place, slots] : pins_.operators()) {
    state.pins.push_back({place.first, place.second, slots});
  }
  for (const auto& [name, text] : vhosts_.changes()) state.vhosts.push_back({name, text});
  const CountsBefore counts{counters(), with_before(dispatcher_.counters(), before_.dispatch),
                            with_before(talk_.counters(), before_.talk),
                            with_before(cells_.counters(), before_.cells)};
  std::ranges::move(mpb::state_of(counts), std::back_inserter(state.counts));
  std::ranges::move(mpb::state_of(ended_), std::back_inserter(state.counts));
  return state;
}

BrokerCounters Broker::counters() const {
  const TableStore& tables = tables_.store();
  return with_before(BrokerCounters{.cpu_ms = own_cpu_ms(),
                                    .keys = router_.key_count(),
                                    .waiting = dispatcher_.waiting(),
                                    .in_flight = dispatcher_.in_flight(),
                                    .forked = supervisor_.zygote().forked(),
                                    .turned_away = turn_away_.count(),
                                    .descriptors_closing = descriptors_closing(),
                                    .log_dropped = lost_log_lines(),
                                    .tables = tables.tables().size(),
                                    .table_entries = tables.entries(),
                                    .table_bytes = tables.bytes(),
                                    .table_operations = tables.counters().operations,
                                    .table_refusals = tables.counters().refusals,
                                    .table_expiries = tables.counters().expiries,
                                    .table_snapshots = tables_.snapshots()},
                     before_.broker);
}

}  // namespace mpb
