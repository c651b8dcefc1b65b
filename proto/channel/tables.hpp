// What is said of the shared tables: an operation of a worker, its result, and the changes that all
// workers apply in one order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/channel/format.hpp"

namespace mpb::channel {

inline constexpr std::size_t kMaxTableName = 64;
inline constexpr std::size_t kMaxTableKey = 255;
inline constexpr std::size_t kMaxTableValue = 4096;

/// An entry as it is, or the end of one. On the wire: u64 version, u8 flags (1: erased), u8 length
/// of the table's name, u8 length of the key, pad, u32 length of the value, and the three.
struct TableChange {
  std::uint64_t version = 0;  // its number among all changes of all tables
  bool erased = false;
  std::string_view table;  // 1 to kMaxTableName bytes
  std::string_view key;    // 1 to kMaxTableKey bytes
  std::string_view value;  // at most kMaxTableValue bytes
};

void append_change(std::string& changes, const TableChange& change);
/// Takes the first off `changes`; false at the end, and where the rest is broken.
bool next_change(std::string_view& changes, TableChange& change);
/// Takes whole changes of at most about 64 KiB off the front.
std::string_view take_change_batch(std::string_view& changes);
bool are_changes(std::string_view changes);

/// All entries of all tables, in one or more parts in a row. They hold with the last part, and take
/// the place of what was there.
struct Tables {
  static constexpr Type kType = Type::kTables;
  static constexpr std::uint16_t kFirst = 1;
  static constexpr std::uint16_t kLast = 2;
  std::uint16_t flags = 0;
  std::uint32_t window = 0;   // operations that a worker may have without a result
  std::uint64_t version = 0;  // of the last change that is in it
  std::string_view changes;   // see next_change()

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.flags(m.flags);
    io(m.window);
    io.reserved(4);
    io(m.version);
    io.text(m.changes, kMaxPayload, "");
    io.check(are_changes(m.changes), "Tables with a broken entry");
  }
};

struct TableChanges {
  static constexpr Type kType = Type::kTableChanges;
  std::string_view changes;  // see next_change()

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.text(m.changes, kMaxPayload, "");
    io.check(are_changes(m.changes), "TableChanges with a broken change");
  }
};

/// What became of an operation, as TableResults says it.
struct TableResult {
  std::uint64_t operation = 0;
  std::uint64_t version = 0;
  std::uint64_t sum = 0;
  std::uint8_t outcome = 0;  // mpbroker/shared.hpp: TableOutcome
  std::array<std::uint8_t, 7> reserved{};
};

struct TableResults {
  static constexpr Type kType = Type::kTableResults;
  List<TableResult> results;

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.list(m.results);
  }
};

/// Asks for a change. Texts beyond the bounds above are refused in its result.
struct TableOperation {
  enum class Kind : std::uint8_t { kPut = 1, kErase = 2, kCompareAndPut = 3, kAdd = 4 };
  static constexpr Type kType = Type::kTableOperation;
  std::uint64_t operation = 0;
  Kind kind = Kind::kPut;
  std::uint32_t ttl_ms = 0;    // 0: for ever
  std::uint64_t expected = 0;  // kCompareAndPut: the version that is there; 0: none is
  std::uint64_t amount = 0;    // kAdd: in two's complement
  std::string_view table;
  std::string_view key;
  std::string_view value;  // kPut, kCompareAndPut

  template <class M, class Io>
  static void walk(M& m, Io& io) {
    io.id(m.operation);
    io.code(m.kind, Kind::kPut, Kind::kAdd, "unknown kind of a TableOperation");
    io.reserved(3);
    io(m.ttl_ms);
    io(m.expected);
    io(m.amount);
    io.text(m.table, kMaxPayload, "");
    io.text(m.key, kMaxPayload, "");
    io.text(m.value, kMaxPayload, "");
  }
};

}  // namespace mpb::channel
