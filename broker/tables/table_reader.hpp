// How far one worker is with the changes of the shared tables. Pure: says what is to be sent next.
//
// A worker that reads too slowly gets, instead of the changes that it has not read, a copy of all
// tables once it has caught up: what is kept for it is bounded, and nobody waits for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/channel/tables.hpp"

namespace mpb {

/// All tables at a time; shared by those that are sent it.
struct TableSnapshot {
  std::uint64_t version = 0;
  std::string changes;
};

class TableReader {
 public:
  static constexpr std::uint32_t kWindow = 1024;        // operations without a result
  static constexpr std::size_t kMostUnread = 256;       // datagrams, before it is behind
  static constexpr std::size_t kPartsAhead = 8;         // of a snapshot, that it has not read
  static constexpr std::size_t kMostSince = 4UL << 20;  // bytes of changes during a snapshot

  /// It is sent all of it, and what has changed since.
  void begin(std::shared_ptr<const TableSnapshot> snapshot);
  /// It has caught up with what was sent before, and needs a snapshot.
  [[nodiscard]] bool wants_snapshot(std::size_t unread) const {
    return behind_ && !snapshot_ && unread == 0;
  }
  /// Something is to be sent when it has read more.
  [[nodiscard]] bool is_waiting() const { return behind_ || snapshot_ != nullptr; }

  /// The next part of its snapshot; nothing: there is none, or it has to read first.
  std::optional<channel::Tables> next_part(std::size_t unread);
  /// Takes changes that were made since the last call, and gives those that are to be sent now.
  [[nodiscard]] std::string_view take(std::string_view changes, std::size_t unread);
  /// What was held back during a snapshot and is due; empty: nothing.
  [[nodiscard]] std::string take_held_back();

  /// False: it has more operations without a result than it may have.
  bool add_result(const channel::TableResult& result);
  /// Those that are due: behind the changes that they are about.
  [[nodiscard]] std::vector<channel::TableResult> take_results();

  std::size_t taken = 0;  // how much of the changes of this turn it has been given

 private:
  std::shared_ptr<const TableSnapshot> snapshot_;  // that is being sent
  std::string_view rest_;                          // of it
  bool first_ = true;                              // no part of it was sent
  std::string since_;
  std::vector<channel::TableResult> results_;
  bool behind_ = false;
};

}  // namespace mpb
