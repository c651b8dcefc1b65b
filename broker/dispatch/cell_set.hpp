// The cells: workers that serve one key or one client each, or wait ready for one (spare). Says who
// gets which, when to start how many and which are to end. Pure: the caller brings the clock and
// the dice, starts processes and tells what became of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/dispatch/crash_records.hpp"
#include "broker/dispatch/restart_policy.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "common/base/counters.hpp"
#include "common/base/keyed_map.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

/// The space and the key of a name: 2 bytes, and the rest.
struct KeyName {
  std::uint16_t space = 0;
  std::string_view key;
};
KeyName parse_key_name(std::string_view name);

struct CellRules {
  bool wanted = false;          // some listener isolates
  std::size_t spares = 0;       // that wait ready
  Slot base = 1;                // slots 0 to base-1 are no cells
  Slot maximum = 1;             // of all workers
  std::size_t at_once = 4;      // starts under way
  Duration linger{30'000};      // a spare cell beyond `spares` ends after so long
  Duration client_wait{8'000};  // no client waits for longer
  CloseRules close;             // of keys whose cells crash
  /// A key's cell that is older ends when it has no clients, by the key's space.
  std::map<std::uint16_t, Duration> rollover;
};

struct CellPlace {
  enum class Kind : std::uint8_t {
    kTo,       // `slot` gets the client
    kComing,   // `slot` is starting for the key
    kWait,     // one that is nobody's is starting, or a place for one becomes free
    kBackoff,  // the key's process keeps crashing
    kNone,     // all workers that may run do
  };
  Kind kind = Kind::kNone;
  Slot slot = kNoSlot;
  bool apart = false;  // shared workers must not serve the client
};

enum class CellRole : std::uint8_t { kNone, kSpare, kKey, kClient };

class CellSet {
 public:
  explicit CellSet(WorkerTable& workers) : workers_(workers) {}
  /// What was to be started and has no place under them is given up.
  void set_rules(const CellRules& rules);
  /// Says of which keys, by name, the cell is apart: it runs otherwise than others, so it must be
  /// started for its key, and no spare one will do.
  void keep_apart(std::function<bool(const std::string&)> is_apart) {
    is_apart_ = std::move(is_apart);
  }
  [[nodiscard]] bool is_apart(const std::string& name) const {
    return is_apart_ && is_apart_(name);
  }
  /// Keys that are closed have another try.
  void reopen() { crashes_.reopen(); }

  // --- clients; `name`: of a key, by space (2 bytes) and key

  /// For a client of a key without an owner. `again`: it was told to come again.
  CellPlace place_key(const std::string& name, bool again, TimePoint now);
  /// For a client that gets a process of its own.
  CellPlace place_client(const std::string& name, bool again, TimePoint now);
  /// The cell owns its key from now on.
  void on_route(Slot slot);
  /// It does not any more. `idle`: since it has no clients of it.
  void on_route_gone(Slot slot, bool idle);
  /// It has acknowledged a client: its successor among the spare ones may start.
  void on_taken(Slot slot);
  /// How many clients wait for a cell that is nobody's.
  void set_waiting(std::size_t count) { waiting_ = count; }
  /// For so many clients that wait a cell that is nobody's can still come.
  [[nodiscard]] std::size_t places(TimePoint now) const;
  /// Cells that are ready and nobody's, those not counted whose client was told to come again.
  [[nodiscard]] std::size_t unpromised() const;
  /// A client that waited was told to come again.
  void promise(TimePoint now);

  // --- processes

  /// The slots in which to start cells now.
  std::vector<Slot> to_start(TimePoint now);
  /// Cells that are to end when they have no clients.
  std::vector<Slot> take_ending() { return std::exchange(ending_now_, {}); }
  /// Spare cells that are to end since their slots are needed: for no client are they reachable.
  std::vector<Slot> take_evicted() { return std::exchange(evicted_now_, {}); }
  /// Ends the cells that are too old and have no clients: those.
  std::vector<Slot> end_old();
  /// Time passes: what nobody asked for lately is given up. Call it now and then.
  void tick(TimePoint now);
  /// The system gives no process now: all that was to start is given up, and its clients are to be
  /// placed anew.
  void on_start_failed(Slot slot, TimePoint now, std::mt19937_64& random);
  void on_online(Slot slot, TimePoint now);
  /// It takes no more clients, by somebody else's word.
  void on_draining(Slot slot);
  struct Gone {
    bool as_told = false;  // somebody told it to end, and it did; else it has failed
    bool was_ready = false;
    Duration ran{0};
  };
  /// Its process has ended; the slot is no cell any more, unless it was needed for another. How its
  /// key backs off, if it does.
  std::optional<BackOff> on_gone(Slot slot, const Gone& gone, TimePoint now,
                                 std::mt19937_64& random);

  // --- after a broker before this one

  /// Its process is to be heard. `ended`: it gets no more clients.
  void resume(Slot slot, CellRole role, const std::string& name, bool ended, TimePoint started,
              TimePoint now);
  /// It gets no more clients.
  [[nodiscard]] bool has_ended(Slot slot) const {
    return slot < cells_.size() && cells_[slot].ended;
  }
  /// It owns this key: it may have got it in the last moment.
  void on_claim(Slot slot, const std::string& name, TimePoint now);
  /// It is spare, and yet has a client.
  void on_client(Slot slot);

  // --- what there is

  [[nodiscard]] CellRole role(Slot slot) const {
    return slot < cells_.size() ? cells_[slot].role : CellRole::kNone;
  }
  /// Of the key or client that it serves; empty: none.
  [[nodiscard]] std::string_view name(Slot slot) const {
    return slot < cells_.size() ? std::string_view(cells_[slot].name) : std::string_view();
  }
  struct Given {
    Slot slot = kNoSlot;
    std::string name;    // of the key or client
    bool waits = false;  // its process is yet to be started
  };
  /// Those that were given a key or client since the last call and have, or had, a process.
  std::vector<Given> take_given();
  [[nodiscard]] const CrashRecords& crashes() const { return crashes_; }
  [[nodiscard]] CellCounters counters() const;

 private:
  struct Cell {
    CellRole role = CellRole::kNone;
    bool starting = false;  // its process is, and not ready
    bool queued = false;    // waits to be started
    bool ended = false;     // gets no more clients
    bool idle = false;      // and has none, and is about to end
    bool routed = false;    // owned its key
    bool unacked = false;   // was spare, and has not acknowledged its client
    std::string name;
    std::string heir;                       // the name of the key that gets its slot
    TimePoint online{};                     // it became so
    TimePoint since{};                      // it became ready, or was asked for last
    TimePoint given{};                      // it got its key
    std::optional<TimePoint> idle_since{};  // seen so first
  };

  Cell& cell(Slot slot);
  /// A slot for another one.
  std::optional<Slot> occupy(CellRole role);
  /// Takes it off all books.
  Cell forget(Slot slot);
  /// Makes a slot that has no process nobody's.
  void vacate(Slot slot);
  void vacate_queue();
  /// Nothing is started for so long that nobody should wait for it.
  [[nodiscard]] bool hopeless(TimePoint now) const;
  std::optional<Slot> take_spare(bool again);
  /// For a key whose cell is apart.
  CellPlace place_apart(const std::string& name, bool again, TimePoint now);
  /// Somebody, or all who wait for any cell, may hope for one; else nobody can be placed.
  CellPlace wait_or_none(TimePoint now);
  /// A spare one makes way for a key.
  std::optional<Slot> evict(const std::string& heir);
  /// The slot of one that made way.
  void inherit(Slot slot, const std::string& heir, TimePoint now);
  /// A stopped slot that is nobody's is to be started for a key.
  void queue_for(Slot slot, const std::string& name, TimePoint now);
  std::optional<BackOff> note_crash(const Cell& ended, const Gone& gone, TimePoint now,
                                    std::mt19937_64& random);
  void give(Slot slot, CellRole role, const std::string& name, TimePoint now);
  void end(Slot slot, bool idle);
  /// Its key may get another cell.
  void forget_key(Slot slot);
  void remove_spare(Slot slot);
  void count_taken(Cell& cell);
  [[nodiscard]] bool is_old(const Cell& cell, TimePoint now) const;
  [[nodiscard]] std::size_t free_slots() const;
  [[nodiscard]] std::size_t missing_spares() const;
  void retire_spares(TimePoint now);

  WorkerTable& workers_;
  CellRules rules_;
  std::vector<Cell> cells_;           // by slot
  KeyedMap<std::string, Slot> keys_;  // cells that may get clients of their key
  std::vector<Slot> ready_;           // spare ones
  std::vector<Slot> coming_;          // those that will be
  std::deque<Slot> queue_;            // to be started for their keys
  std::vector<Slot> ending_now_;
  std::vector<Slot> evicted_now_;
  std::vector<Slot> old_;  // those of keys, as of the last tick
  std::function<bool(const std::string&)> is_apart_;
  std::vector<Given> given_;
  std::size_t waiting_ = 0;   // clients
  std::size_t promised_ = 0;  // spare cells, to clients that were told to come again
  TimePoint promised_at_{};   // the last time
  std::size_t starting_ = 0;
  std::size_t unacked_ = 0;
  std::size_t idle_ = 0;      // cells that are about to end
  RestartPolicy spare_ones_;  // that failed before they got a key
  TimePoint starts_due_{};    // after them
  RestartPolicy processes_;   // that the system did not give
  TimePoint process_due_{};   // it is asked again
  CrashRecords crashes_;
  CellCounters counters_;
};

}  // namespace mpb
