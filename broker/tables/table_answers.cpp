#include "broker/tables/table_answers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <boost/json/array.hpp>

#include "common/base/utf8.hpp"

namespace mpb {
namespace {

using boost::json::object;

constexpr std::size_t kMostEntries = 10'000;  // of an answer
constexpr std::size_t kMostText = 2UL * 1024 * 1024;

std::string shown(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const CodePoint code = first_code_point(bytes);
    if (code.size == 0) {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
    } else {
      text += bytes.substr(0, code.size);
    }
    bytes.remove_prefix(std::max<std::size_t>(code.size, 1));
  }
  return text;
}

object shown(std::string_view key, const TableStore::Entry& entry, TimePoint now) {
  object report{{"key", shown(key)}, {"value", shown(entry.value)}, {"version", entry.version}};
  if (entry.end) {
    report["ttl_ms"] = std::max(std::chrono::ceil<Duration>(*entry.end - now), Duration{0}).count();
  }
  return report;
}

object all_of(const TableStore::Table& table, TimePoint now) {
  std::vector<std::string_view> keys;
  keys.reserve(table.entries.size());
  for (const auto& [key, entry] : table.entries) keys.emplace_back(key);
  std::ranges::sort(keys);
  boost::json::array entries;
  std::size_t text = 0;
  for (const std::string_view key : keys) {
    const TableStore::Entry& entry = table.entries.find(key)->second;
    text += key.size() + entry.value.size();
    if (entries.size() == kMostEntries || text > kMostText) break;
    entries.push_back(shown(key, entry, now));
  }
  const std::size_t left_out = keys.size() - entries.size();
  return {{"ok", true}, {"entries", std::move(entries)}, {"left_out", left_out}};
}

}  // namespace

object list_of_tables(const TableStore& store) {
  boost::json::array tables;
  for (const auto& [name, table] : store.tables()) {
    tables.push_back(
        object{{"name", name}, {"entries", table.entries.size()}, {"size_bytes", table.bytes}});
  }
  return {{"ok", true}, {"tables", std::move(tables)}};
}

Result<object> contents(const TableStore& store, const TableRequest& request, TimePoint now) {
  static const TableStore::Table kNone;
  const auto found = store.tables().find(request.table);
  const TableStore::Table& table = found == store.tables().end() ? kNone : found->second;
  if (request.action == TableRequest::Action::kShow) return all_of(table, now);
  const std::string key =
      has_networks(request.table) ? network_key(request.key).value_or(request.key) : request.key;
  const auto entry = table.entries.find(key);
  if (entry == table.entries.end()) {
    return refusal_of(request, {TableOutcome::kNotFound});
  }
  object answer = shown(entry->first, entry->second, now);
  answer["ok"] = true;
  return answer;
}

channel::TableOperation operation_of(const TableRequest& request) {
  channel::TableOperation operation;
  operation.kind = request.action == TableRequest::Action::kErase
                       ? channel::TableOperation::Kind::kErase
                       : channel::TableOperation::Kind::kPut;
  operation.ttl_ms = request.ttl_ms;
  operation.table = request.table;
  operation.key = request.key;
  operation.value = request.value;
  return operation;
}

Error refusal_of(const TableRequest& request, const TableResult& result) {
  switch (result.outcome) {
    case TableOutcome::kNotFound:
      return usage_error(fmt::format("table '{}' has no '{}'", request.table, request.key));
    case TableOutcome::kFull:
      return limit_error(fmt::format("table '{}' has no room for '{}': see 'mpctl table'",
                                     request.table, request.key));
    case TableOutcome::kBadName:
      return usage_error(
          fmt::format("'{}' is no name of a table: 1 to {} letters, digits, '.', '_' or '-'",
                      request.table, channel::kMaxTableName));
    case TableOutcome::kBadKey:
      if (has_networks(request.table)) {
        return usage_error(
            fmt::format("'{}' is neither an address nor a network such as 192.0.2.0/24, whose bits "
                        "behind the length are 0",
                        request.key));
      }
      return usage_error(fmt::format("a key has 1 to {} bytes", channel::kMaxTableKey));
    case TableOutcome::kTooLong:
      return usage_error(fmt::format("a value has at most {} bytes", channel::kMaxTableValue));
    default:
      return unavailable_error(std::string(to_string(result.outcome)));
  }
}

object event_of(const channel::TableChange& change) {
  object event{{"event", change.erased ? "erase" : "put"},
               {"table", change.table},
               {"key", shown(change.key)}};
  if (!change.erased) event["value"] = shown(change.value);
  event["version"] = change.version;
  return event;
}

}  // namespace mpb
