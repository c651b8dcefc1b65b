// The shared tables of a worker: its copies of them, and what it asks the broker, or in a single
// process its own store, to change.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/io/event_loop.hpp"
#include "common/io/wake_up.hpp"
#include "common/tables/table_store.hpp"
#include "mpbroker/shared.hpp"
#include "worker/tables/address_lists.hpp"
#include "worker/tables/local_table.hpp"
#include "worker/tables/operation_queue.hpp"

namespace mpb {

class WorkerTables final : public SharedTables {
 public:
  explicit WorkerTables(EventLoop& loop);
  WorkerTables(const WorkerTables&) = delete;
  WorkerTables& operator=(const WorkerTables&) = delete;

  SharedMap& map(std::string_view name) override;

  /// Nobody else has them.
  void serve_alone();
  /// `send` takes operations to the broker from now on.
  void join_broker(OperationQueue::Send send);
  /// The worker has said Ready.
  void begin();
  /// Nobody is told of a result any more.
  void drop_callbacks();
  /// The broker is gone, and another follows, which sends all tables.
  void on_resync();
  /// The broker is gone.
  void abandon();

  void on_tables(const channel::Tables& part);
  void on_changes(const channel::TableChanges& message);
  void on_results(const channel::TableResults& results) { queue_.on_results(results); }

  /// Tells results that are known here, and does what is due in a single process.
  void end_turn();

  [[nodiscard]] const AddressLists& addresses() const { return addresses_; }
  [[nodiscard]] const OperationQueue& operations() const { return queue_; }

 private:
  using Fresh = std::map<std::string, LocalTable::Entries, std::less<>>;

  LocalTable& table(std::string_view name);
  void ask(const channel::TableOperation& operation, TableDone done);
  void apply(const channel::TableChange& change);
  void tell_soon();
  void replace_all(std::uint64_t version);

  EventLoop& loop_;
  LocalTable::Ask ask_;
  std::map<std::string, LocalTable, std::less<>> tables_;
  OperationQueue queue_;
  AddressLists addresses_;
  std::unique_ptr<TableStore> store_;        // of a single process
  std::deque<std::function<void()>> asked_;  // in a single process, in this turn
  WakeUp expiry_{loop_};                     // of a single process
  Fresh fresh_;                              // parts of a copy that is not complete
  std::uint32_t window_ = 0;
  std::uint64_t version_ = 0;  // of the last change that was applied
  bool begun_ = false;
};

}  // namespace mpb
