// How far one worker is with the changes of the shared tables. Pure: says what is to be sent next.
//
// A worker that reads too slowly gets, instead of the changes that it has not read, a copy of all
// tables once it has caught up: what is kept for it is bounded, and nobody waits for it. One that
// starts needs all of them, however much is written meanwhile: for a while those who write wait.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"
#include "proto/channel/tables.hpp"

namespace mpb {

/// All tables at a time, and what has changed since; shared by those that are sent it.
struct TableSnapshot {
  static constexpr std::size_t kMuch = 4UL << 20;         // bytes: who starts needs calm
  static constexpr std::size_t kMostSince = 2UL * kMuch;  // with what is asked for already

  std::uint64_t version = 0;  // of `changes`
  std::string changes;
  std::string since;
  bool complete = true;  // what has changed is in `since`; else nothing is

  /// Called for each change; beyond its bound it is not complete any more.
  void add(const channel::TableChange& change);
  [[nodiscard]] bool has_changed_much() const { return !complete || since.size() >= kMuch; }
};

class TableReader {
 public:
  static constexpr std::uint32_t kWindow = 1024;   // operations without a result
  static constexpr std::size_t kMostUnread = 256;  // datagrams, before it is behind
  static constexpr std::size_t kPartsAhead = 8;    // of a snapshot, that it has not read
  static constexpr Duration kLongestCalm{2'000};   // that one start takes from those who write

  /// It is sent all of it, and what has changed since.
  void begin(std::shared_ptr<const TableSnapshot> snapshot);
  /// It needs a snapshot, and has caught up with what was sent before.
  [[nodiscard]] bool wants_snapshot(std::size_t unread) const {
    return behind_ && !snapshot_ && (unread == 0 || !has_tables_);
  }
  /// It was sent a snapshot and all that had changed by its end, and may start.
  [[nodiscard]] bool has_tables() const { return has_tables_; }
  /// It is to start, and more is written than it can be sent beside its snapshot. So for a while
  /// results wait, of which each worker can be without a window only.
  [[nodiscard]] bool needs_calm(TimePoint now);
  /// Something is to be sent when it has read more.
  [[nodiscard]] bool is_waiting() const { return behind_ || snapshot_ != nullptr; }

  /// The next part of its snapshot; nothing: there is none, or it has to read first.
  std::optional<channel::Tables> next_part(std::size_t unread);
  /// Takes changes that were made since the last call, and gives those that are to be sent now;
  /// during a snapshot they are in its `since`.
  [[nodiscard]] std::string_view take(std::string_view changes, std::size_t unread);
  /// Behind the last part: ends the snapshot, and gives what has changed since; if that is not
  /// known it needs another one.
  [[nodiscard]] std::string end_snapshot();

  /// False: it has more operations without a result than it may have.
  bool add_result(const channel::TableResult& result);
  /// Those that are due: behind the changes that they are about.
  [[nodiscard]] std::vector<channel::TableResult> take_results();

  std::size_t taken = 0;  // how much of the changes of this turn it has been given

 private:
  std::shared_ptr<const TableSnapshot> snapshot_;  // that is being sent
  std::string_view rest_;                          // of it
  bool first_ = true;                              // no part of it was sent
  std::vector<channel::TableResult> results_;
  bool behind_ = true;  // changes were not sent that it lacks
  bool has_tables_ = false;
  bool failed_ = false;                  // its last snapshot was not complete
  std::optional<TimePoint> calm_until_;  // set when it needed some first
};

}  // namespace mpb
