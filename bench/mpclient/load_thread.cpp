#include "bench/mpclient/load_thread.hpp"

#include <algorithm>

namespace mpb::load {
namespace {

// Kept clients on their way at once, all threads together, so that building up thousands of them
// does not overflow the listen queue. A storm has no such bound: that is its point.
constexpr std::uint64_t kRampWidth = 256;

Pace pace_of(const Settings& settings, const RunState& run, unsigned index) {
  Pace pace;
  pace.next = index;
  pace.step = settings.threads;
  if (settings.clients > 0) pace.total = settings.clients;
  if (settings.mode != Mode::kOpen) return pace;
  pace.rate = settings.rate;
  pace.origin = run.start;
  if (settings.duration.count() > 0) pace.end = run.start + settings.duration;
  return pace;
}

std::uint64_t width_of(const Settings& settings, std::uint64_t at_once) {
  if (!keeps_clients(settings.mode) || settings.mode == Mode::kStorm) return at_once;
  return std::max<std::uint64_t>(1, kRampWidth / settings.threads);
}

}  // namespace

LoadThread::LoadThread(const Settings& settings, RunState& run, OwnerTable& owners, unsigned index,
                       std::size_t at_once, std::size_t witnesses)
    : Engine(settings, run, pace_of(settings, run, index)),
      settings_(settings),
      owners_(owners),
      script_(settings.script),
      width_(width_of(settings, at_once)),
      room_(at_once + witnesses + 1),
      witnesses_(witnesses),
      writer_(settings.message_size),
      last_end_(run.start) {}

bool LoadThread::has_room() const {
  return live() < room_ && on_their_way_ < width_;
}

bool LoadThread::settled() const {
  return keeps_clients(settings_.mode) && on_their_way_ == 0;
}

bool LoadThread::is_over() {
  if (!more_to_start() && on_their_way_ == 0) end_witnesses();
  return Engine::is_over();
}

Engine::Counts LoadThread::counts() const {
  return {tally_.started, tally_.served, tally_.lost + tally_.wrong + tally_.refused};
}

Tally LoadThread::tally() const {
  Tally tally = tally_;
  tally.lateness = lateness();
  return tally;
}

void LoadThread::obey(Order order) {
  if (order >= Order::kFinish && !finishing()) start_overdue();
  for_each([&](Connection& connection) {
    auto& client = static_cast<Client&>(connection);
    if (order == Order::kMove) {
      if (client.state == Client::State::kHeld) move(client);
    } else if (!client.on_its_way()) {
      end(client, tally_.served, true);
    } else if (order == Order::kAbort) {
      end(client, tally_.unfinished, true);
    }
  });
}

/// Open loop: those that were due before the end still start, if there is room for them.
void LoadThread::start_overdue() {
  if (settings_.mode != Mode::kOpen) return;
  const auto overdue = [&] { return pace().intended(pace().next) < run_state().end; };
  while (room_to_start() && overdue()) start_next(Clock::now());
  for (; pace().next < pace().total && overdue(); pace().next += pace().step) {
    ++tally_.never_started;
  }
}

void LoadThread::move(Client& client) {
  leave_owner(client, true);
  client.told = false;
  client.moving = true;
  const std::int32_t id =
      settings_.ids.id_other_than(client.conversation.id(), client.number + pace().total);
  Script script = script_;
  script.messages = 0;
  ask(client, client.conversation.begin(id, script));
}

void LoadThread::end_witnesses() {
  while (!lingering_.empty()) end(lingering_.front(), tally_.served, true);
}

}  // namespace mpb::load
