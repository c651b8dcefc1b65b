#include "bench/mpclient/load_thread.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "bench/common/event_wait.hpp"

namespace mpb::load {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kStartsPerTurn = 64;
constexpr std::uint64_t kWakeupTag = UINT64_MAX;
// Kept clients on their way at once, all threads together, so that building up thousands of them
// does not overflow the listen queue. A storm has no such bound: that is its point.
constexpr std::uint64_t kRampWidth = 256;

std::uint64_t total_of(const Settings& settings) {
  return settings.clients == 0 ? std::numeric_limits<std::uint64_t>::max() : settings.clients;
}

std::uint64_t width_of(const Settings& settings, std::uint64_t at_once) {
  if (!keeps_clients(settings.mode) || settings.mode == Mode::kStorm) return at_once;
  return std::max<std::uint64_t>(1, kRampWidth / settings.threads);
}

TimePoint planned_end(const Settings& settings, TimePoint start) {
  return settings.duration.count() > 0 ? start + settings.duration : TimePoint::max();
}

}  // namespace

LoadThread::LoadThread(const Settings& settings, RunState& run, unsigned index, std::size_t at_once,
                       std::size_t witnesses)
    : settings_(settings),
      run_(run),
      index_(index),
      script_(settings.script),
      total_(total_of(settings)),
      width_(width_of(settings, at_once)),
      witnesses_(witnesses),
      connector_(settings.target, settings.sources, settings.reset_on_close),
      writer_(settings.message_size),
      pool_(at_once + witnesses + 1),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      planned_end_(planned_end(settings, run.start)),
      next_number_(index),
      last_end_(run.start) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeupTag;
  if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.fd(), &event) != 0) {
    throw std::runtime_error(system_error("epoll set of a load thread").text);
  }
}

void LoadThread::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // starts of an open loop are microseconds apart
  for (;;) {
    start_clients();
    publish();
    if (pool_.live() == 0 && !more_to_start()) break;  // also when the last starts failed at once
    wait_and_handle();
    run_queues();
    obey();
    if (!more_to_start() && on_their_way_ == 0) end_witnesses();
  }
  progress_.waves_settled.store(Progress::kDone);
  run_.conductor.wake();
}

bool LoadThread::more_to_start() const {
  if (obeyed_ >= Order::kFinish || next_number_ >= total_) return false;
  return settings_.mode != Mode::kOpen || intended_start(next_number_) < planned_end_;
}

bool LoadThread::may_start(TimePoint now) const {
  return room_to_start() && earliest_start() <= now;
}

bool LoadThread::room_to_start() const {
  return more_to_start() && pool_.has_free() && on_their_way_ < width_;
}

TimePoint LoadThread::earliest_start() const {
  return settings_.mode == Mode::kOpen ? intended_start(next_number_) : refused_until_;
}

TimePoint LoadThread::intended_start(std::uint64_t number) const {
  const std::chrono::duration<double> offset(static_cast<double>(number) / settings_.rate);
  return run_.start + std::chrono::duration_cast<Clock::duration>(offset);
}

void LoadThread::start_clients() {
  TimePoint now = Clock::now();
  for (int i = 0; i < kStartsPerTurn && may_start(now); ++i) {
    start_next(now);
    now = Clock::now();
  }
}

void LoadThread::start_next(TimePoint now) {
  const std::uint64_t number = next_number_;
  next_number_ += settings_.threads;
  TimePoint begun = now;
  if (settings_.mode == Mode::kOpen) {
    begun = intended_start(number);
    tally_.lateness.record((now - begun).count());
  }
  start(number, begun);
}

/// Open loop: those that were due before the end still start, if there is room for them.
void LoadThread::start_overdue() {
  if (settings_.mode != Mode::kOpen) return;
  while (room_to_start() && intended_start(next_number_) < run_.end) start_next(Clock::now());
  for (; next_number_ < total_ && intended_start(next_number_) < run_.end;
       next_number_ += settings_.threads) {
    ++tally_.never_started;
  }
}

TimePoint LoadThread::next_due() const {
  TimePoint due = room_to_start() ? earliest_start() : TimePoint::max();
  const auto consider = [&](const ClientQueue& queue) {
    if (queue.first == kNoClient) return;
    due = std::min(due, pool_[queue.first].deadline);
  };
  consider(asking_);
  consider(pausing_);
  consider(queued_);
  consider(lingering_);
  return due;
}

void LoadThread::wait_and_handle() {
  std::array<epoll_event, kEventsPerTurn> events;  // NOLINT(*-member-init): the kernel fills it
  const int count = wait_until(epoll_.get(), events, next_due());
  // Clients begin between two waits only: an event here is of the client that it was reported for,
  // or of one that another client's event has ended meanwhile.
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeupTag) {
      wakeup_.clear();
    } else {
      handle(static_cast<ClientIndex>(event.data.u64), event.events);
    }
  }
}

void LoadThread::handle(ClientIndex index, std::uint32_t events) {
  Client& client = pool_[index];
  if (client.state == Client::State::kFree) return;
  if ((client.registered & EPOLLOUT) != 0) {
    send(client);
  } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    receive(client);
  }
}

void LoadThread::run_queues() {
  const TimePoint now = Clock::now();
  const auto run_due = [&](ClientQueue& queue, auto&& action) {
    while (queue.first != kNoClient && pool_[queue.first].deadline <= now) {
      action(pool_[queue.first]);
    }
  };
  run_due(asking_, [this](Client& client) { expire(client); });
  run_due(queued_, [this](Client& client) { connect(client); });
  run_due(lingering_, [this](Client& client) { end(client, tally_.served, true); });
  run_due(pausing_, [this](Client& client) { ask(client, client.conversation.message()); });
}

void LoadThread::obey() {
  const Order order = run_.order.load(std::memory_order_acquire);
  if (order == obeyed_) return;
  if (obeyed_ < Order::kFinish && order >= Order::kFinish) start_overdue();
  obeyed_ = order;
  if (order == Order::kMove) move_held();
  if (order >= Order::kFinish) {
    finish_kept();
    end_witnesses();
  }
  if (order == Order::kAbort) abort_all();
}

void LoadThread::move_held() {
  ++waves_;
  for (ClientIndex i = 0; i < pool_.size(); ++i) {
    Client& client = pool_[i];
    if (client.state != Client::State::kHeld) continue;
    leave_owner(client, true);
    client.told = false;
    client.moving = true;
    const std::int32_t id =
        settings_.ids.id_other_than(client.conversation.id(), client.number + total_);
    Script script = script_;
    script.messages = 0;
    ask(client, client.conversation.begin(id, script));
  }
}

void LoadThread::finish_kept() {
  for (ClientIndex i = 0; i < pool_.size(); ++i) {
    Client& client = pool_[i];
    if (client.state == Client::State::kHeld || client.state == Client::State::kPausing) {
      end(client, tally_.served, true);
    }
  }
}

void LoadThread::end_witnesses() {
  while (lingering_.first != kNoClient) end(pool_[lingering_.first], tally_.served, true);
}

void LoadThread::abort_all() {
  for (ClientIndex i = 0; i < pool_.size(); ++i) {
    if (pool_[i].state != Client::State::kFree) end(pool_[i], tally_.unfinished, true);
  }
}

void LoadThread::publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  progress_.started.store(tally_.started, kRelaxed);
  progress_.served.store(tally_.served, kRelaxed);
  progress_.failed.store(tally_.lost + tally_.wrong + tally_.refused, kRelaxed);
  progress_.live.store(pool_.live(), kRelaxed);
  const bool settled = keeps_clients(settings_.mode) && !more_to_start() && on_their_way_ == 0;
  if (settled && progress_.waves_settled.load(kRelaxed) < waves_) {
    progress_.waves_settled.store(waves_);
    run_.conductor.wake();
  }
}

}  // namespace mpb::load
