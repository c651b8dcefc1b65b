#include "worker/tables/local_table.hpp"

#include <algorithm>
#include <limits>

#include "common/base/shrink.hpp"

namespace mpb {
namespace {

using Kind = channel::TableOperation::Kind;

std::uint32_t milliseconds(SharedMap::Ttl ttl) {
  constexpr SharedMap::Ttl kLongest{std::numeric_limits<std::uint32_t>::max()};
  return static_cast<std::uint32_t>(std::clamp(ttl, SharedMap::kForEver, kLongest).count());
}

}  // namespace

void LocalTable::for_each(
    std::string_view prefix,
    const std::function<void(std::string_view key, const TableValue& value)>& visit) const {
  for (const auto& [key, entry] : entries_) {
    if (key.starts_with(prefix)) visit(key, {entry.value, entry.version});
  }
}

TableWatch LocalTable::watch(std::string_view prefix,
                             std::function<void(const TableEvent&)> changed) {
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  auto watcher = std::make_shared<Watcher>(Watcher{std::string(prefix), std::move(changed)});
  watchers_.push_back(watcher);
  return watcher;
}

channel::TableOperation LocalTable::operation(Kind kind, std::string_view key,
                                              std::string_view value) const {
  channel::TableOperation operation;
  operation.kind = kind;
  operation.table = name_;
  operation.key = key;
  operation.value = value;
  return operation;
}

void LocalTable::put(std::string_view key, std::string_view value, Ttl ttl, TableDone done) {
  channel::TableOperation asked = operation(Kind::kPut, key, value);
  asked.ttl_ms = milliseconds(ttl);
  ask_(asked, std::move(done));
}

void LocalTable::erase(std::string_view key, TableDone done) {
  ask_(operation(Kind::kErase, key, {}), std::move(done));
}

void LocalTable::compare_and_put(std::string_view key, std::string_view value,
                                 std::uint64_t expected, Ttl ttl, TableDone done) {
  channel::TableOperation asked = operation(Kind::kCompareAndPut, key, value);
  asked.expected = expected;
  asked.ttl_ms = milliseconds(ttl);
  ask_(asked, std::move(done));
}

void LocalTable::add(std::string_view key, std::int64_t amount, Ttl ttl, TableDone done) {
  channel::TableOperation asked = operation(Kind::kAdd, key, {});
  asked.amount = static_cast<std::uint64_t>(amount);
  asked.ttl_ms = milliseconds(ttl);
  ask_(asked, std::move(done));
}

void LocalTable::apply(const channel::TableChange& change) {
  if (change.erased) {
    const auto found = entries_.find(change.key);
    if (found == entries_.end()) return;
    entries_.erase(found);
    shrink_if_sparse(entries_);
    return tell({change.key, std::nullopt, change.version});
  }
  auto found = entries_.find(change.key);
  if (found == entries_.end()) found = entries_.try_emplace(std::string(change.key)).first;
  // By swap: an assignment would keep the room of a longer value.
  std::string(change.value).swap(found->second.value);
  found->second.version = change.version;
  tell({change.key, TableValue{change.value, change.version}, change.version});
}

void LocalTable::replace(Entries fresh, std::uint64_t version) {
  const Entries before = std::exchange(entries_, std::move(fresh));
  if (watchers_.empty()) return;
  for (const auto& [key, entry] : before) {
    if (!entries_.contains(key)) tell({key, std::nullopt, version});
  }
  std::vector<std::pair<std::uint64_t, std::string_view>> changed;
  for (const auto& [key, entry] : entries_) {
    const auto old = before.find(key);
    if (old == before.end() || old->second.version != entry.version) {
      changed.emplace_back(entry.version, key);
    }
  }
  std::ranges::sort(changed);
  for (const auto& [number, key] : changed) {
    tell({key, TableValue{entries_.find(key)->second.value, number}, number});
  }
}

void LocalTable::tell(const TableEvent& event) {
  const std::size_t count = watchers_.size();
  for (std::size_t i = 0; i < std::min(count, watchers_.size()); ++i) {
    const auto watcher = watchers_[i].lock();
    if (watcher && event.key.starts_with(watcher->prefix)) watcher->changed(event);
  }
}

}  // namespace mpb
