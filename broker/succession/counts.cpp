#include "broker/succession/counts.hpp"

#include <array>
#include <cstddef>

namespace mpb {
namespace {

using Kind = CountState::Kind;

template <class Block>
CountState state(Kind kind, Slot slot, std::uint64_t number, const Block& block) {
  const auto values = counter_values(block);
  return {kind, slot, static_cast<std::uint16_t>(number), {values.begin(), values.end()}};
}

CountState state(Kind kind, Slot slot, const ReasonCounts& counts) {
  return {kind, slot, 0, {counts.begin(), counts.end()}};
}

template <class Block>
Block block_of(const CountState& state) {
  Block block;
  take_values(block, state.values);
  return block;
}

ReasonCounts reasons_of(const CountState& state) {
  ReasonCounts counts{};
  const std::size_t count = std::min(counts.size(), state.values.size());
  for (std::size_t i = 0; i < count; ++i) counts[i] = std::min(state.values[i], kMostCounted);
  return counts;
}

}  // namespace

std::vector<CountState> state_of(const CountsBefore& counts) {
  return {state(Kind::kBroker, 0, 0, counts.broker), state(Kind::kDispatch, 0, 0, counts.dispatch),
          state(Kind::kTalk, 0, 0, counts.talk), state(Kind::kCells, 0, 0, counts.cells)};
}

std::vector<CountState> state_of(const CounterTotals& ended) {
  std::vector<CountState> states;
  for (const auto& [slot, worker] : ended.workers) {
    states.push_back(state(Kind::kSlot, slot, 0, worker.slot));
    states.push_back(state(Kind::kSlotWorker, slot, 0, worker.own));
    states.push_back(state(Kind::kSlotListener, slot, 0, worker.listeners));
  }
  for (const auto& [number, counters] : ended.listeners) {
    states.push_back(state(Kind::kListener, 0, number, counters));
  }
  states.push_back(state(Kind::kRefused, 0, ended.refused));
  return states;
}

std::vector<CountState> state_of(Slot slot, std::uint64_t taken, const ReportedCounters& counters) {
  std::vector<CountState> states{state(Kind::kWorker, slot, 0, counters.own),
                                 state(Kind::kWorkerRefused, slot, counters.refused),
                                 {Kind::kWorkerTaken, slot, 0, {taken}}};
  for (const auto& [number, listener] : counters.ever) {
    states.push_back(state(Kind::kWorkerListener, slot, number, listener));
  }
  return states;
}

CountsBefore counts_before(const std::vector<CountState>& states) {
  CountsBefore before;
  for (const CountState& one : states) {
    if (one.kind == Kind::kBroker) before.broker = block_of<BrokerCounters>(one);
    if (one.kind == Kind::kDispatch) before.dispatch = block_of<DispatchCounters>(one);
    if (one.kind == Kind::kTalk) before.talk = block_of<TalkCounters>(one);
    if (one.kind == Kind::kCells) before.cells = block_of<CellCounters>(one);
  }
  return before;
}

CounterTotals ended_totals(const std::vector<CountState>& states) {
  CounterTotals ended;
  for (const CountState& one : states) {
    if (one.kind == Kind::kSlot) ended.workers[one.slot].slot = block_of<SlotCounters>(one);
    if (one.kind == Kind::kSlotWorker) ended.workers[one.slot].own = block_of<WorkerCounters>(one);
    if (one.kind == Kind::kSlotListener) {
      ended.workers[one.slot].listeners = block_of<ListenerCounters>(one);
    }
    if (one.kind == Kind::kListener) {
      ended.listeners[one.number] = block_of<ListenerCounters>(one);
      ended.listeners[one.number].listener = one.number;
    }
    if (one.kind == Kind::kRefused) ended.refused = reasons_of(one);
  }
  return ended;
}

ReportedCounters reported_counters(const std::vector<CountState>& states, Slot slot,
                                   std::uint64_t& taken) {
  ReportedCounters counters;
  for (const CountState& one : states) {
    if (one.slot != slot) continue;
    if (one.kind == Kind::kWorker) counters.own = block_of<WorkerCounters>(one);
    if (one.kind == Kind::kWorkerRefused) counters.refused = reasons_of(one);
    if (one.kind == Kind::kWorkerTaken && !one.values.empty()) taken = one.values.front();
    if (one.kind != Kind::kWorkerListener) continue;
    ListenerCounters& listener = counters.ever[one.number] = block_of<ListenerCounters>(one);
    listener.listener = one.number;
    counters.listeners.push_back(listener);
  }
  return counters;
}

}  // namespace mpb
