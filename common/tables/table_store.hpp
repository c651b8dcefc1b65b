// All shared tables as the one has them who puts their changes in order: the broker, or a single
// process. Pure: the caller brings the time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/keyed_map.hpp"
#include "common/base/units.hpp"
#include "common/io/event_loop.hpp"
#include "common/tables/table_rules.hpp"

namespace mpb {

class TableStore {
 public:
  struct Entry {
    std::string value;
    std::uint64_t version = 0;
    std::optional<TimePoint> end;
  };
  struct Table {
    KeyedMap<std::string, Entry> entries;
    std::size_t bytes = 0;  // as their bound counts them: cost_of()
  };
  using TableMap = std::map<std::string, Table, std::less<>>;
  struct Counters {
    std::uint64_t operations = 0;
    std::uint64_t refusals = 0;
    std::uint64_t expiries = 0;
  };

  /// `on_change` is called for each change, in order; its views last for the call.
  using OnChange = std::function<void(const channel::TableChange&)>;
  explicit TableStore(OnChange on_change, const TableLimits& limits = {})
      : on_change_(std::move(on_change)), limits_(limits) {}

  /// What was asked for is done, or nothing is.
  TableResult apply(const channel::TableOperation& operation, TimePoint now);
  /// A change that another store has made before, in its order, or one of its entries, in any.
  /// Nobody is told of it.
  void restore(const channel::TableChange& change, std::optional<TimePoint> end);
  /// Counts an operation that is not to be applied.
  TableResult refuse(TableOutcome why);
  /// Erases entries whose time is over, so many at most that a call is short. Others are due
  /// still, as next_expiry() says; no operation finds them.
  static constexpr std::size_t kMostExpiries = 1'000;
  void expire(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;

  /// Of the last change.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  /// Each has at least one entry.
  [[nodiscard]] const TableMap& tables() const { return tables_; }
  /// All entries, as channel::append_change() writes them.
  [[nodiscard]] std::string snapshot() const;
  [[nodiscard]] std::size_t entries() const;
  /// Of all tables, as their bound counts them.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  TableResult carry_out(const channel::TableOperation& operation, std::string_view key,
                        TimePoint now);
  TableResult put(const channel::TableOperation& operation, std::string_view key,
                  std::string_view value, std::optional<TimePoint> end);
  TableResult add(const channel::TableOperation& operation, std::string_view key,
                  const Entry* entry, std::optional<TimePoint> end);
  [[nodiscard]] const Entry* find(std::string_view table, std::string_view key) const;
  /// Whether an entry may become this one.
  [[nodiscard]] bool has_room(std::string_view table, std::string_view key,
                              std::size_t value) const;
  void count(TableMap::value_type& table, std::string_view key, const Entry& entry);
  void uncount(TableMap::value_type& table, std::string_view key, const Entry& entry);
  void erase(std::string_view table, std::string_view key);
  void expire_one(std::string_view table, std::string_view key);

  OnChange on_change_;
  TableLimits limits_;
  TableMap tables_;
  // Of entries that end: when, and their version; which they are: texts of tables_.
  std::map<std::pair<TimePoint, std::uint64_t>, std::pair<const std::string*, const std::string*>>
      ends_;
  std::size_t cost_ = 0;  // of the tables without networks
  std::uint64_t version_ = 0;
  Counters counters_;
};

}  // namespace mpb
