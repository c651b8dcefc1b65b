// What a broker leaves to the one after it, should it die: as values, and as bytes. Nothing of
// single clients. Pure: no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "proto/base/decode_result.hpp"
#include "proto/base/siphash.hpp"

namespace mpb {

/// A slot that has, or had, a process.
struct SlotState {
  static constexpr std::uint8_t kToldToDrain = 1;
  static constexpr std::uint8_t kEndsWhenEmpty = 2;
  static constexpr std::uint8_t kDraining = 4;
  static constexpr std::uint8_t kParked = 8;  // its configuration is wrong
  static constexpr std::uint8_t kReady = 16;  // its process has said so

  Slot slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t pid = 0;  // 0: it has no process
  std::uint8_t role = 0;  // CellRole
  std::uint8_t flags = 0;
  std::uint32_t restarts = 0;
  std::uint64_t started_ms = 0;  // of CLOCK_MONOTONIC
  std::string name;              // of a cell's key, by space and key
  std::string user;              // CellRun
  std::uint64_t nofile = 0;      // CellRun
  friend bool operator==(const SlotState&, const SlotState&) = default;
};

struct ListenerState {
  std::uint16_t number = 0;
  std::string name;
  std::string protocol;
  std::string handler;
  std::uint8_t key_granularity = 0;  // KeyGranularity
  std::uint8_t prefix = 0;           // ClientPrefix
  std::string wanted;                // the address, as the kernel has it
  friend bool operator==(const ListenerState&, const ListenerState&) = default;
};

struct SpaceState {
  std::uint16_t number = 0;
  std::string protocol;
  friend bool operator==(const SpaceState&, const SpaceState&) = default;
};

/// The operator's word for one key.
struct PinState {
  std::uint16_t space = 0;
  std::string key;
  std::vector<std::uint16_t> slots;
  friend bool operator==(const PinState&, const PinState&) = default;
};

/// A vhost as the operator has changed it.
struct VhostState {
  std::string name;
  std::string text;  // its section; empty: it was removed
  friend bool operator==(const VhostState&, const VhostState&) = default;
};

/// What was counted, in the order of the lists in common/base/counters.hpp.
struct CountState {
  enum Kind : std::uint8_t {
    kDispatch,
    kTalk,
    kCells,
    kBroker,
    // Of processes that have ended:
    kSlot,          // by slot: SlotCounters
    kSlotWorker,    // by slot: WorkerCounters
    kSlotListener,  // by slot: ListenerCounters of all listeners
    kListener,      // by listener
    kRefused,       // clients, by reason
    // Of one that runs, by slot:
    kWorker,
    kWorkerListener,  // and by listener
    kWorkerRefused,
    kWorkerTaken,  // clients that it has acknowledged
  };
  std::uint8_t kind = kDispatch;
  Slot slot = 0;
  std::uint16_t number = 0;
  std::vector<std::uint64_t> values;
  friend bool operator==(const CountState&, const CountState&) = default;
};

struct BrokerState {
  std::uint64_t generation = 0;  // of brokers: counts up
  SipKey seal;
  std::uint32_t next_epoch = 1;
  std::uint32_t widest_window = 0;
  std::uint64_t last_end_ms = 0;  // when a worker ended last, of CLOCK_MONOTONIC
  std::uint8_t stopping = 0;
  std::uint32_t workers = 0;  // by the operator's word; 0: as configured
  std::uint16_t next_listener = 0;
  std::vector<SlotState> slots;
  std::vector<ListenerState> listeners;
  std::vector<SpaceState> spaces;
  std::vector<PinState> pins;
  std::vector<VhostState> vhosts;
  std::vector<CountState> counts;
};

std::string encode(const BrokerState& state);
/// Of one part more than another, or one broken off, nothing is taken.
DecodeResult<BrokerState> decode_state(std::string_view bytes);

}  // namespace mpb
