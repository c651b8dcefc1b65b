#include "common/tables/table_store.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/shrink.hpp"

namespace mpb {
namespace {

using channel::TableOperation;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

TableResult refusal(TableOutcome outcome, std::uint64_t version = 0) {
  return {outcome, version, 0};
}

std::uint64_t version_of(const TableStore::Entry* entry) {
  return entry == nullptr ? 0 : entry->version;
}

}  // namespace

TableResult TableStore::apply(const TableOperation& operation, TimePoint now) {
  ++counters_.operations;
  TableResult result;
  if (const auto why = objection_to(operation)) {
    result = refusal(*why);
  } else if (!has_networks(operation.table)) {
    result = carry_out(operation, operation.key, now);
  } else if (const auto key = network_key(operation.key)) {
    result = carry_out(operation, *key, now);
  } else {
    result = refusal(TableOutcome::kBadKey);
  }
  if (!result) ++counters_.refusals;
  return result;
}

void TableStore::restore(const channel::TableChange& change, std::optional<TimePoint> end) {
  const OnChange told = std::exchange(on_change_, [](const channel::TableChange&) {});
  const std::uint64_t last = std::max(version_, change.version);
  version_ = change.version - 1;
  if (!change.erased) {
    TableOperation operation;
    operation.table = change.table;
    put(operation, change.key, change.value, end);
  } else if (find(change.table, change.key) != nullptr) {
    erase(change.table, change.key);
  }
  version_ = last;
  on_change_ = told;
}

TableResult TableStore::refuse(TableOutcome why) {
  ++counters_.operations;
  ++counters_.refusals;
  return refusal(why);
}

TableResult TableStore::carry_out(const TableOperation& operation, std::string_view key,
                                  TimePoint now) {
  const Entry* entry = find(operation.table, key);
  if (entry != nullptr && entry->end && *entry->end <= now) {
    expire_one(operation.table, key);
    entry = nullptr;
  }
  std::optional<TimePoint> end;
  if (operation.ttl_ms != 0) end = now + Duration{operation.ttl_ms};
  switch (operation.kind) {
    case TableOperation::Kind::kPut:
      return put(operation, key, operation.value, end);
    case TableOperation::Kind::kErase:
      if (entry == nullptr) return refusal(TableOutcome::kNotFound);
      erase(operation.table, key);
      return {TableOutcome::kDone, version_, 0};
    case TableOperation::Kind::kCompareAndPut:
      if (version_of(entry) != operation.expected) {
        return refusal(TableOutcome::kConflict, version_of(entry));
      }
      return put(operation, key, operation.value, end);
    case TableOperation::Kind::kAdd:
      return add(operation, key, entry, end);
  }
  return refusal(TableOutcome::kBadKey);
}

TableResult TableStore::add(const TableOperation& operation, std::string_view key,
                            const Entry* entry, std::optional<TimePoint> end) {
  std::int64_t sum = 0;
  if (entry != nullptr) {
    const auto before = whole_number(entry->value);
    if (!before) return refusal(TableOutcome::kNoNumber, entry->version);
    sum = *before;
    end = entry->end;
  }
  if (__builtin_add_overflow(sum, static_cast<std::int64_t>(operation.amount), &sum)) {
    return refusal(TableOutcome::kNoNumber, version_of(entry));
  }
  TableResult result = put(operation, key, std::to_string(sum), end);
  if (result) result.sum = sum;
  return result;
}

TableResult TableStore::put(const TableOperation& operation, std::string_view key,
                            std::string_view value, std::optional<TimePoint> end) {
  if (!has_room(operation.table, key, value.size())) return refusal(TableOutcome::kFull);
  const auto table = tables_.try_emplace(std::string(operation.table)).first;
  const auto [place, is_new] = table->second.entries.try_emplace(std::string(key));
  Entry& entry = place->second;
  if (entry.end) ends_.erase({*entry.end, entry.version});
  if (!is_new) uncount(*table, place->first, entry);
  // By swap: an assignment would keep the room of a longer value.
  std::string(value).swap(entry.value);
  count(*table, place->first, entry);
  entry.version = ++version_;
  entry.end = end;
  if (end) ends_.insert_or_assign({*end, entry.version}, std::pair(&table->first, &place->first));
  on_change_({version_, false, table->first, place->first, entry.value});
  return {TableOutcome::kDone, version_, 0};
}

void TableStore::count(TableMap::value_type& table, std::string_view key, const Entry& entry) {
  const std::size_t cost = cost_of(table.first, key, entry.value.size());
  table.second.bytes += cost;
  if (!has_networks(table.first)) cost_ += cost;
}

void TableStore::uncount(TableMap::value_type& table, std::string_view key, const Entry& entry) {
  const std::size_t cost = cost_of(table.first, key, entry.value.size());
  table.second.bytes -= cost;
  if (!has_networks(table.first)) cost_ -= cost;
}

void TableStore::erase(std::string_view table_name, std::string_view key) {
  const auto table = tables_.find(table_name);
  const auto place = table->second.entries.find(key);
  if (place->second.end) ends_.erase({*place->second.end, place->second.version});
  uncount(*table, place->first, place->second);
  on_change_({++version_, true, table->first, place->first, {}});
  table->second.entries.erase(place);
  if (table->second.entries.empty()) {
    tables_.erase(table);
  } else {
    shrink_if_sparse(table->second.entries);
  }
}

void TableStore::expire_one(std::string_view table, std::string_view key) {
  erase(table, key);
  ++counters_.expiries;
}

void TableStore::expire(TimePoint now) {
  for (std::size_t i = 0; i < kMostExpiries; ++i) {
    if (ends_.empty() || ends_.begin()->first.first > now) return;
    const auto [table, key] = ends_.begin()->second;
    expire_one(*table, *key);
  }
}

std::optional<TimePoint> TableStore::next_expiry() const {
  if (ends_.empty()) return std::nullopt;
  return ends_.begin()->first.first;
}

const TableStore::Entry* TableStore::find(std::string_view table_name, std::string_view key) const {
  const auto table = tables_.find(table_name);
  if (table == tables_.end()) return nullptr;
  const auto place = table->second.entries.find(key);
  return place == table->second.entries.end() ? nullptr : &place->second;
}

bool TableStore::has_room(std::string_view table_name, std::string_view key,
                          std::size_t value) const {
  const auto table = tables_.find(table_name);
  const Entry* entry = find(table_name, key);
  const bool networks = has_networks(table_name);
  if (table == tables_.end() && !networks && tables_.size() >= limits_.tables) return false;
  if (entry == nullptr && table != tables_.end() &&
      table->second.entries.size() >= limits_.entries) {
    return false;
  }
  const std::size_t own = table == tables_.end() ? 0 : table->second.bytes;
  const std::size_t before = entry == nullptr ? 0 : cost_of(table_name, key, entry->value.size());
  const std::size_t others = (networks ? own : cost_) - before;
  return others + cost_of(table_name, key, value) <= limits_.bytes;
}

std::string TableStore::snapshot() const {
  std::string changes;
  for (const auto& [name, table] : tables_) {
    for (const auto& [key, entry] : table.entries) {
      channel::append_change(changes, {entry.version, false, name, key, entry.value});
    }
  }
  return changes;
}

std::size_t TableStore::entries() const {
  std::size_t count = 0;
  for (const auto& [name, table] : tables_) count += table.entries.size();
  return count;
}

std::size_t TableStore::bytes() const {
  std::size_t sum = 0;
  for (const auto& [name, table] : tables_) sum += table.bytes;
  return sum;
}

}  // namespace mpb
