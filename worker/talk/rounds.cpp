// WorkerBus: what goes to all workers and comes back: gather and ring.
#include <algorithm>
#include <deque>
#include <utility>

#include "worker/talk/worker_bus.hpp"

namespace mpb {

struct WorkerBus::Gathering {
  std::string topic;
  std::string payload;
  TimePoint end;
  std::function<void(const Gathered&)> done;
  std::set<WorkerId> waiting;
  std::set<WorkerId> over;  // they have answered, or are missing
  Gathered result;
  bool finished = false;

  [[nodiscard]] Time left(TimePoint now) const {
    return std::chrono::duration_cast<Time>(std::max(end, now) - now);
  }
  /// Perhaps of one that came meanwhile: who is asked is the broker's to say.
  void take(const Reply& reply) {
    waiting.erase(reply.from);
    if (!over.insert(reply.from).second) return;
    result.answers.emplace_back(reply.from, reply.payload);
  }
  void lose(WorkerId worker, Loss why) {
    if (waiting.erase(worker) == 0) return;
    over.insert(worker);
    result.missing.emplace_back(worker, why);
  }
  void lose_all(Loss why) {
    if (waiting.empty() && over.empty()) result.missing.emplace_back(kOperator, why);
    while (!waiting.empty()) lose(*waiting.begin(), why);
  }
};

void WorkerBus::gather(std::string_view topic, std::string_view payload, Time timeout,
                       std::function<void(const Gathered&)> done) {
  check(To::all(), topic, payload);
  auto gathering = std::make_shared<Gathering>();
  gathering->topic = topic;
  gathering->payload = payload;
  gathering->end = loop_.now() + timeout;
  gathering->done = std::move(done);
  begin(gathering);
}

void WorkerBus::begin(const std::shared_ptr<Gathering>& gathering) {
  with_roster(gathering->left(loop_.now()), [this, gathering](Loss why) {
    gathering->waiting = roster_.online();
    if (why == Loss::kNone) return ask_all(gathering);
    gathering->lose_all(why);
    finish(gathering);
  });
}

void WorkerBus::ask_all(const std::shared_ptr<Gathering>& gathering) {
  const auto take = [this, gathering](const Reply& reply) {
    if (reply.answered()) {
      gathering->take(reply);
    } else if (reply.loss == Loss::kTimeout || reply.loss == Loss::kNoBroker) {
      gathering->lose_all(reply.loss);
    } else {
      gathering->lose(reply.from, reply.loss);
    }
    if (!gathering->waiting.empty()) return false;
    finish(gathering);
    return true;
  };
  const Time left = gathering->left(loop_.now());
  if (ask(To::all(), gathering->topic, gathering->payload, left, take)) {
    gatherings_.push_back(gathering);
    return;
  }
  wait(for_room_, left, [this, gathering](Loss why) {
    if (why == Loss::kNone) return begin(gathering);
    gathering->lose_all(why);
    finish(gathering);
  });
}

/// Once.
void WorkerBus::finish(const std::shared_ptr<Gathering>& gathering) {
  if (std::exchange(gathering->finished, true)) return;
  std::erase(gatherings_, gathering);
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
  check(To::all(), topic, payload);
  auto round = std::make_shared<Round>();
  round->topic = topic;
  round->timeout = timeout;
  round->done = std::move(done);
  round->result.payload = payload;
  with_roster(timeout, [this, round](Loss why) {
    const auto ring = roster_.ring_of(self_);
    if (why == Loss::kNone) round->ahead.assign(ring.begin(), ring.end());
    if (why == Loss::kNone) return go_on(round);
    for (const WorkerId worker : ring) round->result.skipped.emplace_back(worker, why);
    if (ring.empty()) round->result.skipped.emplace_back(kOperator, why);
    round->done(round->result);
  });
}

void WorkerBus::go_on(const std::shared_ptr<Round>& round) {
  if (round->ahead.empty()) return round->done(round->result);
  const WorkerId next = round->ahead.front();
  const auto take = [this, round, next](const Reply& reply) {
    step(round, next, reply);
    return true;
  };
  if (ask(To::worker(next), round->topic, round->result.payload, round->timeout, take)) return;
  wait(for_room_, round->timeout, [this, round, next](Loss why) {
    if (why == Loss::kNone) return go_on(round);
    step(round, next, {why});
  });
}

void WorkerBus::step(const std::shared_ptr<Round>& round, WorkerId next, const Reply& reply) {
  round->ahead.pop_front();
  if (reply.answered()) {
    round->result.payload = reply.payload;
    round->result.visited.push_back(next);
  } else {
    round->result.skipped.emplace_back(next, reply.loss);
  }
  go_on(round);
}

}  // namespace mpb
