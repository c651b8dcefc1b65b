// The shared tables in the broker: takes workers' and the operator's operations, and tells all
// workers what has changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "broker/tables/table_journal.hpp"
#include "broker/tables/table_reader.hpp"
#include "broker/workers/worker_process.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/wake_up.hpp"
#include "common/tables/table_store.hpp"

namespace mpb {

class TableService {
 public:
  explicit TableService(EventLoop& loop);
  TableService(const TableService&) = delete;
  TableService& operator=(const TableService&) = delete;

  /// All that changes is kept in `memory`, for the broker after this one. `resume`: what is there
  /// is what the tables have.
  void keep_in(std::span<std::byte> memory, bool resume);

  /// A worker was told all but this and Start: it gets all tables, then Start, unless it is ready
  /// already. It must be there until on_gone().
  void introduce(Slot slot, WorkerProcess& worker);
  void on_gone(Slot slot) { members_.erase(slot); }

  /// Whether workers may change the tables with networks.
  void set_workers_deny(bool may) { workers_deny_ = may; }
  /// Why the worker must be ejected for it; empty: it need not.
  std::string_view on_operation(Slot slot, const channel::TableOperation& operation);
  /// The operator's.
  TableResult apply(const channel::TableOperation& operation);

  /// What has changed by now goes to this worker before what it is sent next.
  void flush_to(Slot slot);
  /// Sends to all what this turn has changed, then the results.
  void end_turn();

  /// Called for each change.
  void set_observer(std::function<void(const channel::TableChange&)> observer) {
    observer_ = std::move(observer);
  }
  [[nodiscard]] const TableStore& store() const { return store_; }
  /// How often a worker was sent all tables again.
  [[nodiscard]] std::uint64_t snapshots() const { return snapshots_; }

 private:
  struct Member {
    WorkerProcess* worker = nullptr;
    TableReader reader;
    bool started = false;
    bool had_snapshot = false;
    std::uint64_t least = 0;    // version of a snapshot that is not older than what it has
    TimePoint next_snapshot{};  // not before
  };

  void on_change(const channel::TableChange& change);
  void keep(const channel::TableChange& change);
  [[nodiscard]] std::string all_records() const;
  /// In ms of CLOCK_MONOTONIC; 0: never.
  [[nodiscard]] static std::uint64_t end_of(const TableStore::Entry& entry);
  void flush(Member& member);
  void begin_snapshot(Member& member);
  void send_parts(Member& member);
  void send_changes(Member& member, std::string_view changes);
  void send_results(Member& member);
  [[nodiscard]] bool may_make_snapshot(const Member& member) const;
  [[nodiscard]] bool is_there_for(const Member& member) const;
  void make_snapshot();
  void drop_snapshot();
  void come_back(bool somebody_waits);

  EventLoop& loop_;
  TableStore store_;
  std::optional<TableJournal> journal_;  // none: nobody follows this broker
  std::function<void(const channel::TableChange&)> observer_;
  std::map<Slot, Member> members_;
  std::string changes_;                                   // of this turn
  std::shared_ptr<TableSnapshot> snapshot_;               // the last; null: nobody needs it
  std::vector<std::weak_ptr<TableSnapshot>> being_sent_;  // and earlier ones
  TimePoint next_snapshot_{};                             // is not made before
  WakeUp expiry_{loop_};                                  // of the next entry that ends
  WakeUp retry_{loop_};                                   // with workers that are behind
  bool due_ = false;  // something besides changes_ may be to be sent
  bool workers_deny_ = false;
  std::uint64_t snapshots_ = 0;
  std::string scratch_;
};

}  // namespace mpb
