// A worker's operations on shared tables, until each has its result.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "mpbroker/shared.hpp"
#include "proto/channel/tables.hpp"

namespace mpb {

class OperationQueue {
 public:
  static constexpr std::size_t kMost = 65'536;  // without a result

  /// Takes a datagram with an operation to the broker.
  using Send = std::function<void(std::string_view datagram)>;
  void set_send(Send send) { send_ = std::move(send); }
  /// Operations may be sent from now on, `window` of them without a result.
  void open(std::uint32_t window);
  /// Another broker follows, and says when it takes operations. Those that were sent end as
  /// unavailable: the one before it may have applied them.
  void suspend();
  /// Nobody answers any more: all end as unavailable, those that are added later, too.
  void close();

  /// Those that wait are not called.
  void drop_callbacks();

  /// `operation.operation` is set here. `done` is not called from within.
  void add(channel::TableOperation operation, TableDone done);
  void on_results(const channel::TableResults& results);
  /// Calls those whose operations have ended here. False: there were none.
  bool tell_ended();
  /// Whether tell_ended() has something to tell.
  [[nodiscard]] bool has_ended() const { return !ended_.empty(); }

  [[nodiscard]] std::size_t without_result() const { return waiting_.size(); }
  [[nodiscard]] std::uint64_t asked() const { return next_id_ - 1; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

  /// The result of an operation that is known here; for a single process and in this file.
  void end(TableDone done, const TableResult& result);

 private:
  void pump();

  Send send_;
  std::map<std::uint64_t, TableDone> waiting_;  // by operation: those without a result
  std::deque<std::string> unsent_;              // datagrams
  std::deque<std::pair<TableDone, TableResult>> ended_;
  std::uint64_t next_id_ = 1;
  std::size_t sent_ = 0;  // without a result
  std::size_t window_ = 0;
  std::uint64_t refused_ = 0;
  bool closed_ = false;
};

}  // namespace mpb
