// WorkerBus: what goes to all workers and comes back: gather and ring.
#include <algorithm>
#include <deque>
#include <utility>

#include "worker/talk/worker_bus.hpp"

namespace mpb {

struct WorkerBus::Gathering {
  std::string topic;
  std::string payload;
  Time timeout{};
  std::function<void(const Gathered&)> done;
  std::set<WorkerId> waiting;
  Gathered result;

  void lose(WorkerId worker, Loss why) {
    if (waiting.erase(worker) != 0) result.missing.emplace_back(worker, why);
  }
};

void WorkerBus::gather(std::string_view topic, std::string_view payload, Time timeout,
                       std::function<void(const Gathered&)> done) {
  auto gathering = std::make_shared<Gathering>();
  gathering->topic = topic;
  gathering->payload = payload;
  gathering->timeout = timeout;
  gathering->done = std::move(done);
  with_roster([this, gathering] { begin(gathering); });
}

void WorkerBus::begin(const std::shared_ptr<Gathering>& gathering) {
  gathering->waiting = roster_.online();
  const auto take = [this, gathering](const Reply& reply) {
    if (reply.answered() && gathering->waiting.erase(reply.from) != 0) {
      gathering->result.answers.emplace_back(reply.from, reply.payload);
    } else if (reply.loss == Loss::kTimeout || reply.loss == Loss::kNoBroker) {
      while (!gathering->waiting.empty()) gathering->lose(*gathering->waiting.begin(), reply.loss);
    } else if (!reply.answered()) {
      gathering->lose(reply.from, reply.loss);
    }
    if (!gathering->waiting.empty()) return false;
    finish(gathering);
    return true;
  };
  gatherings_.push_back(gathering);
  if (ask(To::all(), gathering->topic, gathering->payload, gathering->timeout, take)) return;
  if (orphaned()) return void(take({Loss::kNoBroker}));
  gatherings_.pop_back();
  with_room([this, gathering] { begin(gathering); });
}

/// Once.
void WorkerBus::finish(const std::shared_ptr<Gathering>& gathering) {
  if (std::erase(gatherings_, gathering) == 0) return;
  std::ranges::sort(gathering->result.answers);
  gathering->done(gathering->result);
}

void WorkerBus::note_gone(const WorkerEvent& event) {
  if (event.kind != WorkerEvent::Kind::kExit) return;
  const auto all = gatherings_;
  for (const auto& gathering : all) {
    gathering->lose(event.worker, Loss::kGone);
    if (gathering->waiting.empty()) finish(gathering);
  }
}

struct WorkerBus::Round {
  std::string topic;
  Time timeout{};
  std::function<void(const Ring&)> done;
  std::deque<WorkerId> ahead;
  Ring result;
};

void WorkerBus::ring(std::string_view topic, std::string_view payload, Time timeout,
                     std::function<void(const Ring&)> done) {
  auto round = std::make_shared<Round>();
  round->topic = topic;
  round->timeout = timeout;
  round->done = std::move(done);
  round->result.payload = payload;
  with_roster([this, round] {
    const auto ring = roster_.ring_of(self_);
    round->ahead.assign(ring.begin(), ring.end());
    go_on(round);
  });
}

void WorkerBus::go_on(const std::shared_ptr<Round>& round) {
  if (round->ahead.empty()) return round->done(round->result);
  const WorkerId next = round->ahead.front();
  const auto take = [this, round, next](const Reply& reply) {
    round->ahead.pop_front();
    if (reply.answered()) {
      round->result.payload = reply.payload;
      round->result.visited.push_back(next);
    } else {
      round->result.skipped.emplace_back(next, reply.loss);
    }
    go_on(round);
    return true;
  };
  if (ask(To::worker(next), round->topic, round->result.payload, round->timeout, take)) return;
  if (orphaned()) {
    while (!round->ahead.empty()) {
      round->result.skipped.emplace_back(round->ahead.front(), Loss::kNoBroker);
      round->ahead.pop_front();
    }
    return round->done(round->result);
  }
  with_room([this, round] { go_on(round); });
}

}  // namespace mpb
