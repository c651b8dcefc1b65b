#include "proto/channel/tables.hpp"

#include "proto/base/byte_order.hpp"

namespace mpb::channel {
namespace {

constexpr std::size_t kChangeBatch = 64 * 1024;
constexpr std::uint8_t kErased = 1;

bool is_within_bounds(const TableChange& change) {
  return !change.table.empty() && change.table.size() <= kMaxTableName && !change.key.empty() &&
         change.value.size() <= kMaxTableValue;
}

}  // namespace

void append_change(std::string& changes, const TableChange& change) {
  append_le(changes, change.version);
  changes += static_cast<char>(change.erased ? kErased : 0);
  changes += static_cast<char>(change.table.size());
  changes += static_cast<char>(change.key.size());
  changes += '\0';
  append_le(changes, static_cast<std::uint32_t>(change.value.size()));
  changes.append(change.table).append(change.key).append(change.value);
}

bool next_change(std::string_view& changes, TableChange& change) {
  if (changes.empty()) return false;
  ByteReader in(changes);
  change.version = in.number<std::uint64_t>();
  change.erased = (in.number<std::uint8_t>() & kErased) != 0;
  const auto table = in.number<std::uint8_t>();
  const auto key = in.number<std::uint8_t>();
  in.bytes(1);
  const auto value = in.number<std::uint32_t>();
  change.table = in.bytes(table);
  change.key = in.bytes(key);
  change.value = in.bytes(value);
  if (!in.ok()) return false;
  changes = in.rest();
  return true;
}

std::string_view take_change_batch(std::string_view& changes) {
  std::string_view rest = changes;
  TableChange change;
  while (changes.size() - rest.size() < kChangeBatch && next_change(rest, change)) continue;
  const std::string_view batch = changes.substr(0, changes.size() - rest.size());
  changes = rest;
  return batch;
}

bool are_changes(std::string_view changes) {
  TableChange change;
  while (next_change(changes, change)) {
    if (!is_within_bounds(change)) return false;
  }
  return changes.empty();
}

}  // namespace mpb::channel
