// What the broker knows of each worker that matters for routing. Pure: no I/O, no clock.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mpb {

using Slot = std::uint16_t;
inline constexpr Slot kNoSlot = UINT16_MAX;

enum class WorkerState : std::uint8_t {
  kStopped,   // no process, and none wanted
  kStarting,  // the process runs, its Ready has not come yet
  kOnline,    // takes clients
  kDraining,  // serves the clients it has and takes no more
  kBackoff,   // ended; will be started again
  kParked,    // its configuration is wrong: stays down until told
};
inline constexpr std::size_t kWorkerStates = 6;
std::string_view to_string(WorkerState state);

struct WorkerEntry {
  WorkerState state = WorkerState::kStopped;
  bool cell = false;              // serves one key or one client
  bool unreachable = false;       // about to end: it is sent nothing more
  bool late = false;              // owes the answer to a ping
  bool failing = false;           // not ready for so long that nobody should wait for it
  bool full = false;              // said so itself; until its next report
  std::uint32_t incarnation = 0;  // counts the processes this slot had
  std::uint32_t clients = 0;      // routed ones, as last reported
  std::uint32_t held = 0;         // all descriptors, as last reported
  std::uint32_t in_flight = 0;    // sent there by Deliver or Keep, not Acked yet
  std::uint64_t taken = 0;        // clients that it has Acked
  double lately = 0;              // those of them of the last minutes
  std::uint32_t refusals = 0;     // in a row: it refused, and reported that it has room again
  std::uint32_t held_back = 0;    // looks (see clear_full) for which no report of room is believed
};

/// What the online shared workers have in common.
struct Fleet {
  std::uint64_t clients = 0;
  double lately = 0;
};

class WorkerTable {
 public:
  /// `soft_limit`: clients a worker should have at most (0: none). `window`: deliveries that may
  /// be on their way to one worker.
  WorkerTable(std::uint32_t soft_limit, std::uint32_t window)
      : soft_limit_(soft_limit), window_(window) {}
  void set_soft_limit(std::uint32_t limit) { soft_limit_ = limit; }
  void set_window(std::uint32_t window) { window_ = window; }
  /// Whoever reports more clients than that does not tell the truth.
  void set_most_clients(std::uint64_t most) {
    most_clients_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, kMostClients));
  }

  [[nodiscard]] std::size_t size() const { return workers_.size(); }
  /// Never to less.
  void resize(std::size_t size) {
    counts_[0][index(WorkerState::kStopped)] += size - workers_.size();
    workers_.resize(size);
    ++changes_;
  }
  [[nodiscard]] const WorkerEntry& at(Slot slot) const { return workers_[slot]; }
  [[nodiscard]] bool known(Slot slot) const { return slot < workers_.size(); }

  void set_state(Slot slot, WorkerState state);
  /// Of a stopped slot: what it is going to be, or is no longer.
  void set_cell(Slot slot, bool cell);
  [[nodiscard]] bool is_cell(Slot slot) const { return known(slot) && workers_[slot].cell; }
  /// All slots from here on are cells or stopped: who looks for a shared worker looks at those
  /// before it.
  [[nodiscard]] Slot shared_end() const { return shared_end_; }
  /// A new process in this slot: nothing reported, nothing on its way.
  void begin_incarnation(Slot slot);
  /// As a broker before this one had it: its processes are counted on from `incarnation`, and have
  /// acknowledged `taken` clients.
  void resume(Slot slot, std::uint32_t incarnation, std::uint64_t taken) {
    workers_[slot].incarnation = incarnation;
    workers_[slot].taken = taken;
  }
  void report(Slot slot, std::uint32_t clients, std::uint32_t held);
  /// Its channel has ended or it is being killed: no clients for it until its successor is online.
  void set_unreachable(Slot slot) {
    workers_[slot].unreachable = true;
    ++changes_;
  }
  void set_late(Slot slot, bool late) { workers_[slot].late = late; }
  /// Until it is online, or is given another chance.
  void set_failing(Slot slot, bool failing) {
    workers_[slot].failing = failing;
    ++changes_;
  }
  /// It refused a client: no more until it reports again; if it only ever refuses, for longer.
  void mark_full(Slot slot);
  /// Half a second has passed: it may be asked again.
  void clear_full(Slot slot);
  /// It has acknowledged a client.
  void note_taken(Slot slot);
  /// Half a second has passed: what was lately is less so.
  void age(Slot slot) { workers_[slot].lately *= kRemaining; }
  void add_in_flight(Slot slot) { ++workers_[slot].in_flight; }
  void remove_in_flight(Slot slot) { --workers_[slot].in_flight; }

  [[nodiscard]] bool online(Slot slot) const {
    return known(slot) && workers_[slot].state == WorkerState::kOnline &&
           !workers_[slot].unreachable;
  }
  /// Will be online unless it fails again, which it has not done for long.
  [[nodiscard]] bool coming(Slot slot) const {
    if (!known(slot)) return false;
    const WorkerEntry& worker = workers_[slot];
    const bool tried =
        worker.state == WorkerState::kStarting || worker.state == WorkerState::kBackoff;
    return (tried && !worker.failing) ||
           (worker.state == WorkerState::kOnline && worker.unreachable);
  }
  /// Live clients plus those on their way.
  [[nodiscard]] std::uint32_t load(Slot slot) const {
    return workers_[slot].clients + workers_[slot].in_flight;
  }
  [[nodiscard]] Fleet fleet() const;
  /// The load as far as it can be believed: of the clients that were sent to it lately as many are
  /// taken to be there as of those that were sent to the others.
  [[nodiscard]] std::uint64_t likely_load(Slot slot, const Fleet& fleet) const;
  /// Takes clients and is below its soft limit.
  [[nodiscard]] bool has_room(Slot slot) const {
    return online(slot) && !workers_[slot].full && (soft_limit_ == 0 || load(slot) < soft_limit_);
  }
  /// For how many more; UINT32_MAX for "no limit".
  [[nodiscard]] std::uint64_t room(Slot slot) const {
    if (!has_room(slot)) return 0;
    return soft_limit_ == 0 ? UINT32_MAX : soft_limit_ - load(slot);
  }
  /// Another delivery may be sent before the next Ack.
  [[nodiscard]] bool has_credit(Slot slot) const { return credit(slot) > 0; }
  /// How many.
  [[nodiscard]] std::uint32_t credit(Slot slot) const {
    if (workers_[slot].unreachable) return 0;
    return window_ - std::min(workers_[slot].in_flight, window_);
  }

  [[nodiscard]] std::uint32_t soft_limit() const { return soft_limit_; }
  [[nodiscard]] std::uint32_t window() const { return window_; }
  /// Clients that the online shared workers have room for, up to UINT32_MAX for "no limit".
  [[nodiscard]] std::uint64_t free_room() const;
  [[nodiscard]] std::size_t count(WorkerState state) const {
    return count_shared(state) + counts_[1][index(state)];
  }
  /// The same without cells.
  [[nodiscard]] std::size_t count_shared(WorkerState state) const {
    return counts_[0][index(state)];
  }
  /// Cells that have, or are to have, a process.
  [[nodiscard]] std::size_t cells() const {
    std::size_t sum = 0;
    for (const std::size_t count : counts_[1]) sum += count;
    return sum - counts_[1][index(WorkerState::kStopped)];
  }
  /// Slots that are not stopped.
  [[nodiscard]] std::size_t running() const {
    return workers_.size() - count(WorkerState::kStopped);
  }
  /// Counts the changes of who is online or coming.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  static constexpr std::size_t index(WorkerState state) { return static_cast<std::size_t>(state); }
  /// Enters the slot into counts_ and shared_end_, or takes it out.
  void count(Slot slot, bool in);

  std::vector<WorkerEntry> workers_;
  std::array<std::array<std::size_t, kWorkerStates>, 2> counts_{};  // of shared ones, and of cells
  Slot shared_end_ = 0;
  std::uint32_t soft_limit_;
  std::uint32_t window_;
  static constexpr std::uint32_t kMostClients = 1U << 30U;  // so that sums do not overflow
  static constexpr double kRemaining = 1 - 1.0 / 1024;  // so that half is left after six minutes
  std::uint32_t most_clients_ = kMostClients;
  std::uint64_t changes_ = 0;
};

}  // namespace mpb
