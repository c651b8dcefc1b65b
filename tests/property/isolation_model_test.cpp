// Random clients, starts, crashes and ends of cells against the rules of isolation: each offer has
// one verdict, a cell serves one key or one client, and nothing is left when all have gone.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/isolating_parts.hpp"

namespace mpb {
namespace {

constexpr Slot kMost = 9;
constexpr std::uint16_t kSpace = 0;

struct Offered {
  std::string key;
  std::uint8_t attempts = 0;
};

/// A client that was sent to `slot` and not acknowledged.
struct Sent {
  std::uint64_t delivery = 0;
  std::string key;
  std::uint32_t epoch = 0;
};

/// What a worker has.
struct Model {
  bool starting = false;
  bool online = false;
  bool drains = false;
  bool apart = false;  // was started for a key whose cell is
  std::vector<Sent> sent;
  std::multiset<std::string> clients;          // by key
  std::map<std::string, std::uint32_t> owned;  // key, epoch
  std::set<std::string> served;                // keys, ever
  std::size_t delivered = 0;                   // clients, ever
};

class IsolationModel : test::IsolatingParts {
 public:
  explicit IsolationModel(std::uint64_t seed) : IsolatingParts(kMost), random_(seed) {
    for (Slot slot = 0; slot < kBase; ++slot) models_[slot].online = true;
    rules_.isolate = below(2) == 0 ? Isolation::kKey : Isolation::kClient;
    rules_.isolate_overflow = below(2) == 0 ? IsolateOverflow::kShare : IsolateOverflow::kRefuse;
    cell_rules_.spares = below(3);
    cell_rules_.at_once = 1 + below(4);
    cell_rules_.linger = Duration{3'000};
    if (below(2) == 0) cell_rules_.rollover[kSpace] = Duration{1'000};
    if (below(2) == 0) cell_rules_.close = {2, Duration{2'000}};
    cells_.set_rules(cell_rules_);
    cells_.keep_apart([](const std::string& name) { return is_apart(parse_key_name(name).key); });
    dispatcher_.set_wait_limit(Duration{8'000});
    dispatcher_.set_handoff_window(100'000);
  }

  void run() {
    for (int step = 0; step < 3'000 && !testing::Test::HasFailure(); ++step) {
      act();
      end_turn();
    }
    wind_up();
  }

 private:
  /// Some keys' cells are.
  static bool is_apart(std::string_view key) { return key.size() == 2; }

  std::size_t below(std::size_t bound) { return random_() % bound; }

  void act() {
    now_ += Duration{static_cast<std::int64_t>(below(60))};
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        return offer({std::to_string(below(12))});
      case 3:
        return with_worker([this](Slot slot, Model& worker) { answer(slot, worker); });
      case 4:
        return with_worker([this](Slot slot, Model& worker) { leave(slot, worker); });
      case 5:
        return with_worker([this](Slot slot, Model& worker) { come_online(slot, worker); });
      case 6:
        if (below(12) == 0) {
          with_worker([this](Slot slot, Model&) {
            if (slot >= kBase) end(slot, false);
          });
        }
        return;
      default:
        if (below(4) == 0) cells_.tick(now_);
    }
  }

  template <class F>
  void with_worker(F&& act) {
    if (models_.empty()) return;
    auto worker = models_.begin();
    std::advance(worker, below(models_.size()));
    const Slot slot = worker->first;
    act(slot, worker->second);
  }

  void offer(Offered client) {
    const std::uint64_t handoff = next_handoff_++;
    channel::Handoff message;
    message.handoff = handoff;
    message.client.key = client.key;
    message.client.attempts = client.attempts;
    open_[handoff] = client;
    const Dispatch dispatch = dispatcher_.on_handoff(0, message, rules_, true, now_);
    ASSERT_NE(dispatch.kind, Dispatch::Kind::kViolation) << dispatch.why;
    if (dispatch.kind != Dispatch::Kind::kDeliver) return;
    sent_to(dispatch.slot, {dispatch.delivery, client.key, dispatch.epoch});
    if (cells_.role(dispatch.slot) == CellRole::kClient) tell_to_end(dispatch.slot);
  }

  void sent_to(Slot slot, const Sent& sent) {
    Model& worker = models_.at(slot);
    ASSERT_TRUE(worker.online) << slot;
    worker.sent.push_back(sent);
    worker.served.insert(sent.key);
    ++worker.delivered;
    const bool apart = rules_.isolate == Isolation::kKey && is_apart(sent.key);
    EXPECT_EQ(apart, worker.apart) << sent.key << " in " << slot;
    if (!workers_.is_cell(slot)) return;
    EXPECT_FALSE(worker.drains) << "told to end before";
    EXPECT_EQ(worker.served.size(), 1U) << "a cell serves one key";
    EXPECT_TRUE(rules_.isolate == Isolation::kKey || worker.delivered == 1) << slot;
  }

  /// Acks or refuses what it was sent first.
  void answer(Slot slot, Model& worker) {
    if (worker.sent.empty()) return;
    const Sent sent = worker.sent.front();
    worker.sent.erase(worker.sent.begin());
    if (below(10) == 0) {
      EXPECT_TRUE(dispatcher_.on_nack(slot, sent.delivery));
    } else {
      EXPECT_TRUE(dispatcher_.on_ack(slot, sent.delivery, now_));
      cells_.on_taken(slot);
      worker.clients.insert(sent.key);
      if (sent.epoch != 0 && !worker.drains) worker.owned[sent.key] = sent.epoch;
    }
    workers_.clear_full(slot);
    report(slot);
    end_if_empty(slot);
  }

  void report(Slot slot) {
    const auto clients = static_cast<std::uint32_t>(models_.at(slot).clients.size());
    workers_.report(slot, clients, clients);
  }

  void leave(Slot slot, Model& worker) {
    if (worker.clients.empty()) return;
    const std::string key = *worker.clients.begin();
    worker.clients.erase(worker.clients.begin());
    report(slot);
    // Some stay with their key for a while.
    const auto owned = below(3) == 0 && !ending_ ? worker.owned.end() : worker.owned.find(key);
    if (owned != worker.owned.end() && !worker.clients.contains(key)) {
      router_.release(slot, kSpace, key, owned->second);
      worker.owned.erase(owned);
    }
    end_if_empty(slot);
  }

  void come_online(Slot slot, Model& worker) {
    if (!worker.starting) return;
    if (below(10) == 0) {
      workers_.set_state(slot, WorkerState::kStopped);
      cells_.on_start_failed(slot, now_, random_);
      models_.erase(slot);
      return;
    }
    worker.starting = false;
    worker.online = true;
    workers_.set_state(slot, WorkerState::kOnline);
    cells_.on_online(slot, now_);
  }

  void tell_to_end(Slot slot) {
    Model& worker = models_.at(slot);
    worker.drains = true;
    worker.owned.clear();
    workers_.set_state(slot, WorkerState::kDraining);
    dispatcher_.worker_drains(slot);
  }

  void end_if_empty(Slot slot) {
    const Model& worker = models_.at(slot);
    if (worker.drains && worker.sent.empty() && worker.clients.empty()) end(slot, true);
  }

  void end(Slot slot, bool as_told) {
    const bool was_ready = models_.at(slot).online;
    models_.erase(slot);
    workers_.set_state(slot, WorkerState::kStopped);
    cells_.on_gone(slot, {as_told, was_ready, Duration{0}}, now_, random_);
    dispatcher_.worker_gone(slot);
  }

  void end_turn() {
    for (const Slot slot : cells_.end_old()) {
      EXPECT_TRUE(models_.at(slot).clients.empty() && models_.at(slot).sent.empty()) << slot;
    }
    for (const Slot slot : cells_.take_evicted()) end(slot, true);
    for (const Slot slot : cells_.take_ending()) {
      if (!workers_.online(slot)) continue;
      tell_to_end(slot);
      end_if_empty(slot);
    }
    for (const Slot slot : cells_.to_start(now_)) {
      workers_.begin_incarnation(slot);
      models_[slot].starting = true;
      models_[slot].apart = rules_.isolate == Isolation::kKey &&
                            cells_.role(slot) == CellRole::kKey &&
                            is_apart(parse_key_name(cells_.name(slot)).key);
    }
    EXPECT_LE(workers_.running(), kMost);
    dispatcher_.wake_waiting(now_);
    std::vector<Offered> again;
    dispatcher_.flush(TimePoint::max(), [&](Slot slot, const Outbox& outbox) {
      EXPECT_EQ(slot, 0);
      for (const std::uint64_t handoff : outbox.settled) close(handoff);
      for (const channel::KeepEntry& keep : outbox.keeps) {
        const Offered client = close(keep.handoff);
        sent_to(0, {keep.delivery, client.key, keep.epoch});
      }
      for (const channel::NackEntry& nack : outbox.nacks) {
        Offered client = close(nack.id);
        const bool gone = below(20) == 0;
        if (nack.reason != channel::NackReason::kRetry || gone || ending_) continue;
        ++client.attempts;
        again.push_back(client);
      }
    });
    for (const Offered& client : again) offer(client);
  }

  /// Each offer has one verdict.
  Offered close(std::uint64_t handoff) {
    const auto offered = open_.find(handoff);
    EXPECT_NE(offered, open_.end()) << "a second verdict";
    if (offered == open_.end()) return {};
    Offered client = offered->second;
    open_.erase(offered);
    return client;
  }

  /// All clients leave, and time passes: the cells end, but for the spare ones.
  void wind_up() {
    ending_ = true;
    for (int round = 0; round < 400 && !testing::Test::HasFailure(); ++round) {
      now_ += Duration{100};
      cells_.tick(now_);
      const std::map<Slot, Model> before = models_;
      for (const auto& [slot, copy] : before) {
        if (models_.contains(slot)) come_online(slot, models_.at(slot));
        while (models_.contains(slot) && !models_.at(slot).sent.empty()) {
          answer(slot, models_.at(slot));
        }
        while (models_.contains(slot) && !models_.at(slot).clients.empty()) {
          leave(slot, models_.at(slot));
        }
      }
      end_turn();
    }
    EXPECT_TRUE(open_.empty()) << open_.size() << " offers without a verdict";
    EXPECT_EQ(dispatcher_.waiting(), 0U);
    EXPECT_EQ(dispatcher_.in_flight(), 0U);
    EXPECT_EQ(router_.key_count(), 0U);
    EXPECT_EQ(workers_.cells(), cell_rules_.spares);
    EXPECT_EQ(cells_.counters().spare, cell_rules_.spares);
    EXPECT_EQ(models_.size(), kBase + cell_rules_.spares);
  }

  std::mt19937_64 random_;
  std::map<Slot, Model> models_;  // with a process
  std::map<std::uint64_t, Offered> open_;
  std::uint64_t next_handoff_ = 1;
  bool ending_ = false;
};

TEST(IsolationModel, EachOfferHasOneVerdictAndNothingIsLeft) {
  for (std::uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    IsolationModel(seed).run();
  }
}

}  // namespace
}  // namespace mpb
