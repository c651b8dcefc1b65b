// The broker's decisions against simulated workers: arrivals, claims, closes, crashes, drains,
// changed pins, failing sends and the death of the broker itself, with the messages of each
// direction in order and all else in any.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/resync.hpp"
#include "tests/support/seeded.hpp"
#include "worker/clients/key_table.hpp"

namespace mpb {
namespace {

using channel::NackReason;

constexpr std::uint16_t kSpace = 3;
constexpr int kRounds = 200;
constexpr int kStepsPerRound = 2'000;
constexpr Duration kWaitLimit{30};
constexpr Duration kReportLimit{20};
constexpr int kLongestDelay = 5;  // of a letter, in ms, while clients come and go in peace
constexpr Duration kKeyLinger{10};

/// One message, or one entry of a list message, in either direction.
struct Letter {
  enum class Kind : std::uint8_t {
    // to the broker
    kHandoff,
    kAck,
    kRefused,
    kIdle,
    kLoad,
    kReport,
    // to a worker
    kDeliver,
    kKeep,
    kSettled,
    kVerdict,
    kDisown,
    kDrain,
    kResync,
  };
  Kind kind;
  std::uint64_t id = 0;        // the handoff, or for kDeliver, kAck and kRefused the delivery
  std::uint64_t delivery = 0;  // of a kKeep
  int client = -1;
  std::string key{};
  std::uint32_t epoch = 0;
  std::uint8_t attempts = 0;
  unsigned adoptions = 0;  // of its client, as a kHandoff was made
  NackReason reason = NackReason::kRetry;
  std::uint32_t clients = 0;
  std::uint64_t round = 0;                        // of a kResync, and of a kReport
  Slot origin = kNoSlot;                          // of a kDeliver
  std::uint64_t handoff = 0;                      // the same
  std::vector<std::uint64_t> unsettled{};         // of a kReport
  std::vector<channel::AdoptionEntry> adopted{};  // the same
  std::vector<std::uint64_t> deliveries{};        // of these
  std::vector<std::pair<std::string, std::uint32_t>> owned{};
};

/// A client of the simulation, where it is served.
struct SimClient {
  std::string key;
  int served_at = -1;
  KeyState* state = nullptr;  // in the table of that worker
  unsigned adoptions = 0;
};

struct SimWorker {
  std::unique_ptr<KeyTable> keys;  // null: no process
  bool draining = false;
  std::deque<Letter> in;
  std::deque<Letter> out;
  std::map<std::uint64_t, Letter> unsettled;  // handoffs without a verdict, sent or not
  std::deque<std::uint64_t> unsent;
  std::set<std::uint64_t> forgotten;  // their clients have gone
  std::set<int> serves;
  std::uint32_t sent = 0;
  bool heard = true;  // by the broker there is now
  std::vector<channel::AdoptionEntry> adopted;
  std::vector<std::uint64_t> deliveries;
};

/// What may happen in one round.
struct Scenario {
  std::size_t workers = 2;
  std::uint32_t window = 4;
  std::uint32_t soft_limit = 0;
  RoutingRules rules;
  bool failures = false;  // crashes, drains, refusals, lost descriptors, failing sends
  bool pins = false;
  bool deaths = false;  // of the broker
  std::size_t max_keys = 1'000;
  bool hope = false;  // another worker could be started, but is not
  /// Without these, a key's clients are all with its owner.
  [[nodiscard]] bool strict() const {
    return rules.sticky && !failures && !pins && !deaths && soft_limit == 0;
  }
};

class DispatchModel : public test::SeededTest {
 protected:
  using Kind = Letter::Kind;

  void start(const Scenario& scenario) {
    scenario_ = scenario;
    resync_.reset();
    pinned_.clear();
    begin_broker();
    told_busy_ = 0;
    sims_.clear();
    sims_.resize(scenario.workers);
    clients_.clear();
    calm_ = false;
    for (Slot slot = 0; slot < sims_.size(); ++slot) spawn(slot);
  }

  void begin_broker() {
    const Scenario& scenario = scenario_;
    table_ = std::make_unique<WorkerTable>(scenario.soft_limit, scenario.window);
    table_->resize(scenario.workers);
    router_ = std::make_unique<Router>(*table_, scenario.max_keys, bits());
    const auto count = static_cast<Slot>(scenario.workers);
    const auto most = static_cast<Slot>(count + (scenario.hope ? 1 : 0));
    scaler_ = std::make_unique<Scaler>(ScalerRules{count, most, 100, Duration{0}});
    dispatcher_ = std::make_unique<Dispatcher>(*table_, *router_, *scaler_, 1);
    dispatcher_->set_wait_limit(kWaitLimit);
    dispatcher_->set_report_limit(kReportLimit);
    if (!scenario.deaths) return;
    router_->set_seal(kSeal);
    dispatcher_->set_seal(kSeal);
  }

  // --- the broker's death -----------------------------------------------------------------------

  void broker_dies() {
    const std::unique_ptr<WorkerTable> before = std::move(table_);
    const std::uint32_t next_epoch = router_->next_epoch();
    begin_broker();
    router_->set_next_epoch(next_epoch);
    for (const auto& [key, slots] : pinned_) {
      if (key != "*") router_->pin(kSpace, key, slots);
    }
    if (pinned_.contains("*")) router_->pin(kSpace, "*", pinned_["*"]);
    resync_.emplace(kSeal, scenario_.window);
    if (scenario_.failures) resync_->lose();
    disowned_.clear();
    ++round_;
    for (Slot slot = 0; slot < sims_.size(); ++slot) {
      SimWorker& worker = sim(slot);
      table_->resume(slot, before->at(slot).incarnation, 0);
      table_->set_state(slot, before->at(slot).state);
      if (!worker.keys) continue;
      // What the broker had not sent yet is lost with it.
      while (!worker.in.empty() && one_in(2)) worker.in.pop_back();
      worker.heard = false;
      worker.in.push_back({.kind = Kind::kResync, .round = round_});
      // It may not have heard of that.
      if (table_->at(slot).state == WorkerState::kDraining) {
        worker.in.push_back({.kind = Kind::kDrain});
      }
      resync_->expect({slot, table_->at(slot).incarnation});
    }
    look_at_resync();
  }

  void on_resync(Slot slot, std::uint64_t round) {
    SimWorker& worker = sim(slot);
    Letter report{.kind = Kind::kReport, .clients = served(slot), .round = round};
    for (const auto& [id, handoff] : worker.unsettled) {
      const bool sent =
          std::find(worker.unsent.begin(), worker.unsent.end(), id) == worker.unsent.end();
      if (sent) report.unsettled.push_back(id);
    }
    report.adopted = worker.adopted;
    report.deliveries = worker.deliveries;
    worker.keys->for_each_owned(
        [&](const KeyState& key) { report.owned.emplace_back(key.key, key.epoch); });
    worker.out.push_back(report);
  }

  void on_report(Slot slot, const Letter& letter) {
    channel::ResyncReport report;
    report.flags = channel::ResyncReport::kLast;
    report.unsettled = letter.unsettled;
    report.adopted = letter.adopted;
    report.deliveries = letter.deliveries;
    sim(slot).heard = true;
    table_->report(slot, letter.clients, letter.clients);
    ASSERT_EQ(resync_->report(slot, report), "");
    for (const auto& [key, epoch] : letter.owned) {
      if (table_->at(slot).state == WorkerState::kDraining) break;
      const Router::Claim claim = router_->claim(slot, kSpace, key, epoch, now_);
      ASSERT_NE(claim, Router::Claim::kForged);
      if (claim == Router::Claim::kDenied) disowned_.emplace_back(slot, key, epoch);
    }
    look_at_resync();
  }

  void look_at_resync() {
    if (!resync_ || !resync_->complete()) return;
    for (const auto& [origin, told] : resync_->take()) dispatcher_->resolve(origin, told, now_);
    resync_.reset();
    flush(now_);
    for (const auto& [slot, key, epoch] : std::exchange(disowned_, {})) {
      if (!sim(slot).keys) continue;
      sim(slot).in.push_back({.kind = Kind::kDisown, .key = key, .epoch = epoch});
    }
  }

  void spawn(Slot slot) {
    sims_[slot] = SimWorker{};
    sims_[slot].keys = std::make_unique<KeyTable>(kKeyLinger);
    table_->begin_incarnation(slot);
    if (calm_ || one_in(2)) table_->set_state(slot, WorkerState::kOnline);
  }

  // --- the worker's side ------------------------------------------------------------------------

  SimWorker& sim(Slot slot) { return sims_[slot]; }

  void send_load(Slot slot) {
    const auto served = static_cast<std::uint32_t>(sim(slot).serves.size());
    sim(slot).out.push_back({.kind = Kind::kLoad, .clients = served});
  }

  void leave(int client) {
    SimClient& c = clients_[client];
    if (c.state != nullptr) sim(static_cast<Slot>(c.served_at)).keys->leave(*c.state, now_);
    c.state = nullptr;
  }

  void serve(Slot slot, int client, const std::string& key, std::uint32_t epoch) {
    SimClient& c = clients_[client];
    ASSERT_TRUE(c.served_at == -1 || c.served_at == slot) << "a client with two voices";
    KeyState* entered = key.empty() ? nullptr : &sim(slot).keys->enter(kSpace, key, epoch);
    if (c.served_at != -1) leave(client);
    c = {key, slot, entered, c.adoptions};
    sim(slot).serves.insert(client);
    if (scenario_.strict() && entered != nullptr) {
      ASSERT_NE(entered->epoch, 0U) << "served where key " << key << " is not owned";
    }
  }

  void close(int client) {
    const Slot slot = static_cast<Slot>(clients_[client].served_at);
    leave(client);
    sim(slot).serves.erase(client);
    clients_[client].served_at = -1;
    for (auto& [id, handoff] : sim(slot).unsettled) {
      if (handoff.client == client) sim(slot).forgotten.insert(id);
    }
    send_load(slot);
  }

  void offer(Slot slot, Letter handoff) {
    handoff.kind = Kind::kHandoff;
    handoff.id = ++last_handoff_;
    handoff.adoptions = clients_[handoff.client].adoptions;
    sim(slot).unsettled[handoff.id] = handoff;
    sim(slot).unsent.push_back(handoff.id);
    pump(slot);
  }

  void pump(Slot slot) {
    SimWorker& worker = sim(slot);
    while (!worker.unsent.empty() && worker.sent < scenario_.window) {
      worker.out.push_back(worker.unsettled.at(worker.unsent.front()));
      worker.unsent.pop_front();
      ++worker.sent;
    }
  }

  /// At its soft limit, of which a client that it serves already has its part.
  bool is_full(Slot slot, int client) {
    return scenario_.soft_limit != 0 && clients_[client].served_at != slot &&
           served(slot) >= scenario_.soft_limit;
  }

  void route(Slot slot, int client, const std::string& key) {
    const bool own = !key.empty() && sim(slot).keys->owned(kSpace, key) != nullptr;
    if (own && !is_full(slot, client)) {
      serve(slot, client, key, 0);
    } else {
      offer(slot, {.kind = Kind::kHandoff, .client = client, .key = key});
    }
  }

  bool parked(Slot slot, int client) {
    const auto& unsettled = sim(slot).unsettled;
    return std::any_of(unsettled.begin(), unsettled.end(),
                       [client](const auto& entry) { return entry.second.client == client; });
  }

  /// The one verdict of a handoff; nothing when its client has gone meanwhile.
  std::optional<Letter> verdict(Slot slot, std::uint64_t id) {
    SimWorker& worker = sim(slot);
    const auto entry = worker.unsettled.find(id);
    if (entry == worker.unsettled.end()) {
      ADD_FAILURE() << "a second verdict, or one for nobody: " << id;
      return std::nullopt;
    }
    const Letter handoff = entry->second;
    worker.unsettled.erase(entry);
    --worker.sent;
    const bool gone = worker.forgotten.erase(id) != 0;
    return gone ? std::nullopt : std::optional(handoff);
  }

  void worker_reads(Slot slot) {
    SimWorker& worker = sim(slot);
    const Letter letter = worker.in.front();
    worker.in.pop_front();
    switch (letter.kind) {
      case Kind::kDeliver:
        on_deliver(slot, letter);
        break;
      case Kind::kKeep:
        on_keep(slot, letter);
        break;
      case Kind::kSettled:
        if (const auto handoff = verdict(slot, letter.id)) settle(*handoff);
        break;
      case Kind::kVerdict:
        on_verdict(slot, letter);
        break;
      case Kind::kDisown:
        worker.keys->disown(kSpace, letter.key, letter.epoch);
        break;
      case Kind::kDrain:
        worker.draining = true;
        break;
      case Kind::kResync:
        on_resync(slot, letter.round);
        break;
      default:
        FAIL() << "not for a worker";
    }
    pump(slot);
  }

  void on_keep(Slot slot, const Letter& letter) {
    const auto handoff = verdict(slot, letter.id);
    if (handoff && !is_full(slot, handoff->client)) {
      serve(slot, handoff->client, handoff->key, letter.epoch);
      sim(slot).out.push_back({.kind = Kind::kAck, .id = letter.delivery, .clients = served(slot)});
      return;
    }
    const NackReason reason = handoff ? NackReason::kFull : NackReason::kUnknown;
    sim(slot).out.push_back({.kind = Kind::kRefused, .id = letter.delivery, .reason = reason});
    send_load(slot);
    if (!handoff) return;
    Letter again = *handoff;
    ++again.attempts;
    offer(slot, again);
  }

  std::uint32_t served(Slot slot) { return static_cast<std::uint32_t>(sim(slot).serves.size()); }

  void on_deliver(Slot slot, const Letter& letter) {
    SimWorker& worker = sim(slot);
    const bool full = is_full(slot, letter.client);
    const bool refuse = worker.draining || full || (scenario_.failures && !calm_ && one_in(10));
    if (!refuse) {
      // The origin's copy, if it served the client before, is silent since the handoff.
      if (clients_[letter.client].served_at != -1) settle_copy(letter.client);
      ++clients_[letter.client].adoptions;
      worker.adopted.push_back({letter.handoff, letter.origin, {}});
      worker.deliveries.push_back(letter.id);
      serve(slot, letter.client, letter.key, letter.epoch);
      worker.out.push_back({.kind = Kind::kAck, .id = letter.id, .clients = served(slot)});
      return;
    }
    static constexpr std::array kReasons{NackReason::kFull, NackReason::kNoDescriptor,
                                         NackReason::kUnknown};
    NackReason reason = kReasons[number(std::size_t{0}, std::size_t{2})];
    if (full) reason = NackReason::kFull;
    if (worker.draining) reason = NackReason::kDraining;
    worker.out.push_back({.kind = Kind::kRefused, .id = letter.id, .reason = reason});
    if (letter.epoch != 0 && worker.keys->owned(kSpace, letter.key) == nullptr) {
      worker.out.push_back({.kind = Kind::kIdle, .key = letter.key, .epoch = letter.epoch});
    }
    send_load(slot);
  }

  /// A client that claimed another key is still attached to its old one at the origin.
  void settle_copy(int client) {
    SimClient& c = clients_[client];
    ASSERT_TRUE(parked(static_cast<Slot>(c.served_at), client)) << "a client with two voices";
    leave(client);
    sim(static_cast<Slot>(c.served_at)).serves.erase(client);
    c.served_at = -1;
  }

  /// It may have come back to the origin since: a Settled is in no hurry.
  void settle(const Letter& handoff) {
    EXPECT_GT(clients_[handoff.client].adoptions, handoff.adoptions)
        << "settled, but nobody adopted it";
  }

  void on_verdict(Slot slot, const Letter& letter) {
    const auto handoff = verdict(slot, letter.id);
    if (!handoff) return;
    if (letter.reason == NackReason::kBusy || letter.reason == NackReason::kLoop) {
      ++told_busy_;
      if (clients_[handoff->client].served_at == slot) close(handoff->client);
      return;
    }
    const bool touched = clients_[handoff->client].adoptions > handoff->adoptions;
    if (letter.reason == NackReason::kUncertain && touched) {
      EXPECT_TRUE(scenario_.failures) << "closed, though all of its workers live";
      if (clients_[handoff->client].served_at == slot) close(handoff->client);
      return;
    }
    ASSERT_TRUE(letter.reason == NackReason::kRetry || letter.reason == NackReason::kNoDescriptor ||
                letter.reason == NackReason::kUncertain);
    if (scenario_.deaths && !scenario_.failures) {
      ASSERT_FALSE(touched) << "to be offered again, though another has read it";
    }
    Letter again = *handoff;
    if (letter.reason == NackReason::kRetry) ++again.attempts;
    offer(slot, again);
  }

  void expire_keys(Slot slot) {
    SimWorker& worker = sim(slot);
    if (!worker.keys) return;
    worker.keys->expire(now_, [&](const KeyState& key) {
      worker.out.push_back({.kind = Kind::kIdle, .key = std::string(key.key), .epoch = key.epoch});
    });
  }

  // --- the broker's side ------------------------------------------------------------------------

  void broker_reads(Slot slot) {
    const Letter letter = sim(slot).out.front();
    sim(slot).out.pop_front();
    // It was meant for the broker before.
    const bool reports = letter.kind == Kind::kReport && letter.round == round_;
    if (!sim(slot).heard && !reports) return;
    switch (letter.kind) {
      case Kind::kReport:
        on_report(slot, letter);
        break;
      case Kind::kHandoff:
        on_handoff(slot, letter);
        break;
      case Kind::kAck:
        table_->report(slot, letter.clients, letter.clients);
        ASSERT_TRUE(dispatcher_->on_ack(slot, letter.id, now_));
        break;
      case Kind::kRefused:
        ASSERT_TRUE(dispatcher_->on_nack(slot, letter.id));
        break;
      case Kind::kIdle:
        router_->release(slot, kSpace, letter.key, letter.epoch);
        break;
      case Kind::kLoad:
        table_->report(slot, letter.clients, letter.clients);
        break;
      default:
        FAIL() << "not for the broker";
    }
    if (calm_ || one_in(2)) end_turn();
  }

  void on_handoff(Slot slot, const Letter& letter) {
    if (resync_) {
      Resync::Verdicts later;
      later.nacks.push_back({letter.id, NackReason::kNoDescriptor});
      return dispatcher_->resolve(slot, later, now_);
    }
    channel::Handoff handoff;
    handoff.handoff = letter.id;
    handoff.client.key = letter.key;
    handoff.client.attempts = letter.attempts;
    const bool arrived = !scenario_.failures || calm_ || !one_in(50);
    const Dispatch out = dispatcher_->on_handoff(slot, handoff, scenario_.rules, arrived, now_);
    ASSERT_NE(out.kind, Dispatch::Kind::kViolation) << out.why;
    if (out.kind != Dispatch::Kind::kDeliver) return;
    ASSERT_NE(out.slot, slot) << "delivered to its origin";
    ASSERT_TRUE(table_->online(out.slot));
    if (scenario_.failures && !calm_ && one_in(50)) return dispatcher_->undo(out.delivery);
    sim(out.slot).in.push_back({.kind = Kind::kDeliver,
                                .id = out.delivery,
                                .client = letter.client,
                                .key = letter.key,
                                .epoch = out.epoch,
                                .origin = slot,
                                .handoff = letter.id});
  }

  void end_turn() {
    dispatcher_->wake_waiting(now_);
    flush(now_);
  }

  void flush(TimePoint at) {
    dispatcher_->flush(at, [this](Slot slot, Outbox& outbox) {
      auto& in = sim(slot).in;
      ASSERT_TRUE(sim(slot).keys) << "told to a worker that is gone";
      for (const std::uint64_t id : outbox.settled)
        in.push_back({.kind = Kind::kSettled, .id = id});
      for (const auto& keep : outbox.keeps) {
        in.push_back({.kind = Kind::kKeep,
                      .id = keep.handoff,
                      .delivery = keep.delivery,
                      .epoch = keep.epoch});
      }
      for (const auto& nack : outbox.nacks) {
        in.push_back({.kind = Kind::kVerdict, .id = nack.id, .reason = nack.reason});
      }
    });
  }

  void end_process(Slot slot, WorkerState state) {
    table_->set_state(slot, state);
    for (SimClient& client : clients_) {
      if (client.served_at == slot) client = {{}, -1, nullptr, client.adoptions};
    }
    sims_[slot] = SimWorker{};
    dispatcher_->worker_gone(slot);
    if (!resync_) return;
    resync_->gone(slot);
    look_at_resync();
  }

  void drain(Slot slot) {
    table_->set_state(slot, WorkerState::kDraining);
    dispatcher_->worker_drains(slot);
    sim(slot).in.push_back({.kind = Kind::kDrain});
  }

  void change_pin() {
    std::vector<Slot> slots;
    for (Slot slot = 0; slot < sims_.size(); ++slot) {
      if (one_in(3)) slots.push_back(slot);
    }
    const std::string key = one_in(8) ? "*" : random_key();
    if (slots.empty()) {
      pinned_.erase(key);
    } else {
      pinned_[key] = slots;
    }
    const auto losers = router_->pin(kSpace, key, slots);
    flush(now_);  // before the Disown: see Disowned
    for (const Disowned& loser : losers) {
      sim(loser.slot).in.push_back({.kind = Kind::kDisown, .key = loser.key, .epoch = loser.epoch});
    }
  }

  // --- what happens -----------------------------------------------------------------------------

  std::string random_key() { return "k" + std::to_string(number(0, 5)); }
  Slot random_slot() { return number(Slot{0}, static_cast<Slot>(sims_.size() - 1)); }

  void arrive(Slot slot) {
    if (!sim(slot).keys || sim(slot).draining || sim(slot).unsettled.size() >= 20) return;
    if (!table_->online(slot)) return;
    clients_.emplace_back();
    route(slot, static_cast<int>(clients_.size()) - 1, one_in(10) ? "" : random_key());
  }

  void touch_client(Slot slot) {
    auto& serves = sim(slot).serves;
    if (serves.empty()) return;
    const int client = *std::next(
        serves.begin(), static_cast<std::ptrdiff_t>(number(std::size_t{0}, serves.size() - 1)));
    const bool claims = one_in(4) && !parked(slot, client);
    if (claims) {
      route(slot, client, random_key());
    } else {
      close(client);
    }
  }

  void move_a_letter(Slot slot) {
    const bool to_worker = one_in(2);
    if (to_worker && !sim(slot).in.empty()) worker_reads(slot);
    if (!to_worker && !sim(slot).out.empty()) broker_reads(slot);
  }

  void disturb(Slot slot) {
    if (scenario_.deaths && one_in(3)) return broker_dies();
    if (scenario_.pins && one_in(2)) return change_pin();
    if (!scenario_.failures) return;
    const WorkerState state = table_->at(slot).state;
    if (!sim(slot).keys) return spawn(slot);
    if (one_in(3)) {
      end_process(slot, one_in(2) ? WorkerState::kBackoff : WorkerState::kParked);
    } else if (state == WorkerState::kOnline) {
      drain(slot);
    } else if (state == WorkerState::kDraining && sim(slot).serves.empty()) {
      end_process(slot, WorkerState::kStopped);
    }
  }

  void step() {
    now_ += Duration{number(0, 1)};
    const Slot slot = random_slot();
    if (table_->at(slot).state == WorkerState::kStarting && one_in(10)) {
      table_->set_state(slot, WorkerState::kOnline);
    }
    expire_keys(slot);
    switch (number(0, 99)) {
      case 0:
        disturb(slot);
        break;
      case 1:
        end_turn();
        break;
      default:
        if (one_in(5)) {
          arrive(slot);
        } else if (one_in(8)) {
          touch_client(slot);
        } else {
          move_a_letter(slot);
        }
    }
  }

  // --- what must hold ---------------------------------------------------------------------------

  static bool owes_delivery(const Letter& letter) {
    return letter.kind == Kind::kDeliver || letter.kind == Kind::kKeep ||
           letter.kind == Kind::kAck || letter.kind == Kind::kRefused;
  }
  static bool is_verdict(const Letter& letter) {
    return letter.kind == Kind::kSettled || letter.kind == Kind::kKeep ||
           letter.kind == Kind::kVerdict;
  }

  void check() {
    flush(TimePoint::max());  // so that all the dispatcher has decided is in the queues
    if (resync_) return;      // what was sent before is in no book
    std::size_t in_flight = 0;
    for (Slot slot = 0; slot < sims_.size(); ++slot) {
      SimWorker& worker = sim(slot);
      const auto count = [](const std::deque<Letter>& letters, auto&& what) {
        return static_cast<std::uint32_t>(std::count_if(letters.begin(), letters.end(), what));
      };
      const std::uint32_t on_way =
          count(worker.in, owes_delivery) + count(worker.out, owes_delivery);
      ASSERT_EQ(table_->at(slot).in_flight, on_way) << "worker " << slot;
      ASSERT_LE(on_way, scenario_.window);
      in_flight += on_way;
      const std::uint32_t offered =
          count(worker.out, [](const Letter& l) { return l.kind == Kind::kHandoff; });
      ASSERT_EQ(worker.sent, dispatcher_->unsettled(slot) + offered + count(worker.in, is_verdict))
          << "worker " << slot;
      if (worker.keys && table_->online(slot)) check_ownership(slot);
    }
    ASSERT_EQ(dispatcher_->in_flight(), in_flight);
    ASSERT_LE(router_->key_count(), scenario_.max_keys);
  }

  /// What a worker owns, the routing table says it owns: so no two own the same.
  void check_ownership(Slot slot) {
    SimWorker& worker = sim(slot);
    worker.keys->for_each_owned([&](const KeyState& key) {
      const Route* route = router_->find(kSpace, key.key);
      if (route != nullptr && route->owner == slot && route->epoch == key.epoch) return;
      for (const Letter& letter : worker.in) {
        if (letter.kind == Kind::kDisown && letter.key == key.key && letter.epoch == key.epoch) {
          return;
        }
      }
      FAIL() << "worker " << slot << " owns " << key.key << " unknown to the broker";
    });
  }

  /// Nothing goes wrong and nobody comes any more; then the clients leave, too.
  void run_dry() {
    calm_ = true;
    for (int turn = 0; turn < 1'000; ++turn) {
      for (Slot slot = 0; slot < sims_.size(); ++slot) settle_down(slot);
      end_turn();
      check();
      if (HasFatalFailure()) return;
      now_ += Duration{1};
      for (std::size_t i = 0; turn > 300 && turn < 900 && i < clients_.size(); ++i) {
        if (clients_[i].served_at != -1) close(static_cast<int>(i));
      }
    }
  }

  void settle_down(Slot slot) {
    if (!sim(slot).keys) spawn(slot);
    const WorkerState state = table_->at(slot).state;
    if (state == WorkerState::kStarting) table_->set_state(slot, WorkerState::kOnline);
    if (state == WorkerState::kDraining && sim(slot).serves.empty() && sim(slot).in.empty() &&
        sim(slot).unsettled.empty()) {
      return end_process(slot, WorkerState::kStopped);
    }
    while (!sim(slot).in.empty()) worker_reads(slot);
    expire_keys(slot);
    while (!sim(slot).out.empty()) broker_reads(slot);
  }

  void expect_empty() {
    EXPECT_EQ(dispatcher_->in_flight(), 0U);
    EXPECT_EQ(dispatcher_->waiting(), 0U);
    EXPECT_EQ(router_->key_count(), 0U) << "keys without clients keep their owner";
    for (Slot slot = 0; slot < sims_.size(); ++slot) {
      EXPECT_EQ(table_->at(slot).in_flight, 0U);
      EXPECT_EQ(dispatcher_->unsettled(slot), 0U);
      EXPECT_TRUE(sim(slot).unsettled.empty()) << "a handoff was forgotten";
      EXPECT_EQ(sim(slot).keys ? sim(slot).keys->owned_count() : 0, 0U);
    }
  }

  // --- clients that come and go, and nothing else -----------------------------------------------

  std::size_t population() {
    std::size_t count = 0;
    for (SimWorker& worker : sims_) {
      count += worker.serves.size();
      for (const auto& [id, handoff] : worker.unsettled) {
        if (clients_[handoff.client].served_at == -1) ++count;
      }
    }
    return count;
  }

  /// One client leaves and another comes at once, with any delay of letters up to the longest.
  void churn(std::vector<int>& quiet) {
    now_ += Duration{1};
    const std::size_t most = scenario_.workers * scenario_.soft_limit - 1;
    for (Slot slot = 0; slot < sims_.size() && population() == most; ++slot) {
      if (!sim(slot).serves.empty() && one_in(2)) close(*sim(slot).serves.begin());
    }
    if (population() < most) {
      const Slot slot = random_slot();
      clients_.emplace_back();
      route(slot, static_cast<int>(clients_.size()) - 1, random_key());
    }
    for (Slot slot = 0; slot < sims_.size(); ++slot) {
      expire_keys(slot);
      if (++quiet[slot] < kLongestDelay && !one_in(4)) continue;
      quiet[slot] = 0;
      while (!sim(slot).out.empty()) broker_reads(slot);
      while (!sim(slot).in.empty()) worker_reads(slot);
    }
    end_turn();
  }

  Scenario random_scenario() {
    Scenario s;
    s.workers = number(std::size_t{1}, std::size_t{5});
    s.window = number(1U, 8U);
    s.soft_limit = one_in(2) ? 0 : number(1U, 6U);
    s.rules.space = kSpace;
    s.rules.policy = static_cast<Policy>(number(0, 3));
    s.rules.overflow = one_in(2) ? Overflow::kSpill : Overflow::kRefuse;
    s.rules.sticky = !one_in(8);
    s.failures = one_in(2);
    s.pins = one_in(3);
    s.deaths = one_in(2);
    s.hope = one_in(2);
    if (one_in(6)) s.max_keys = 3;
    return s;
  }

  static constexpr Seal kSeal{SipKey{3, 4}};
  Scenario scenario_;
  std::unique_ptr<WorkerTable> table_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Scaler> scaler_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<SimWorker> sims_;
  std::deque<SimClient> clients_;
  std::optional<Resync> resync_;
  std::uint64_t round_ = 0;
  std::map<std::string, std::vector<Slot>> pinned_;
  std::vector<std::tuple<Slot, std::string, std::uint32_t>> disowned_;
  std::uint64_t last_handoff_ = 0;
  TimePoint now_{std::chrono::hours(1)};
  bool calm_ = false;  // nothing goes wrong any more
  int told_busy_ = 0;
};

TEST_F(DispatchModel, NoTwoOwnersNoForgottenHandoffAndAllCountsReturnToZero) {
  for (int round = 0; round < kRounds; ++round) {
    start(random_scenario());
    SCOPED_TRACE("round " + std::to_string(round));
    for (int i = 0; i < kStepsPerRound; ++i) {
      step();
      check();
      if (HasFailure()) FAIL() << "at step " << i;
    }
    run_dry();
    expect_empty();
    if (HasFailure()) return;
  }
}

TEST_F(DispatchModel, NobodyIsToldBusyWhileThereIsRoom) {
  for (int round = 0; round < kRounds; ++round) {
    Scenario scenario;
    scenario.workers = number(std::size_t{1}, std::size_t{4});
    scenario.soft_limit = number(3U, 8U);
    scenario.window = 256;
    scenario.rules.space = kSpace;
    scenario.rules.policy = static_cast<Policy>(number(0, 3));
    scenario.rules.sticky = !one_in(4);
    start(scenario);
    calm_ = true;
    for (Slot slot = 0; slot < sims_.size(); ++slot) table_->set_state(slot, WorkerState::kOnline);
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<int> quiet(sims_.size());
    std::size_t most = 0;
    for (int i = 0; i < 300; ++i) {
      churn(quiet);
      most = std::max(most, population());
      ASSERT_EQ(told_busy_, 0) << "at step " << i;
    }
    EXPECT_EQ(most + 1, scenario.workers * scenario.soft_limit) << "it was never nearly full";
    run_dry();
    expect_empty();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace mpb
