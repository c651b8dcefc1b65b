#include "bench/mpclient/owner_table.hpp"

#include <utility>

namespace mpb::load {

OwnerTable::Shard& OwnerTable::shard_of(std::int32_t id) {
  return shards_[static_cast<std::uint32_t>(id) % kShards];
}

OwnerTable::Meeting OwnerTable::join(std::int32_t id, Worker worker) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  Entry& entry = shard.entries[id];
  if (entry.former_live > 0 && worker == entry.former) {
    ++entry.former_live;
    return Meeting::kAgrees;
  }
  if (entry.live > 0 && worker != entry.owner) {
    if (entry.former_live > 0) return Meeting::kWrong;
    entry.former = entry.owner;
    entry.former_live = std::exchange(entry.live, 0);
  }
  entry.owner = worker;
  ++entry.live;
  if (entry.former_live == 0) return Meeting::kAgrees;
  ++entry.suspects;
  return Meeting::kSuspect;
}

bool OwnerTable::contested(std::int32_t id) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(id);
  return found != shard.entries.end() && found->second.former_live > 0;
}

std::uint32_t OwnerTable::leave(std::int32_t id, Worker worker, bool alive) {
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(id);
  if (found == shard.entries.end()) return 0;
  Entry& entry = found->second;
  std::uint32_t wrong = 0;
  if (entry.former_live > 0 && worker == entry.former) {
    --entry.former_live;
    if (alive) wrong = std::exchange(entry.suspects, 0);
    if (entry.former_live == 0) entry.suspects = 0;
  } else if (entry.live > 0 && worker == entry.owner) {
    --entry.live;
  }
  if (entry.live == 0 && entry.former_live == 0) shard.entries.erase(found);
  return wrong;
}

std::size_t OwnerTable::size() {
  std::size_t ids = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    ids += shard.entries.size();
  }
  return ids;
}

}  // namespace mpb::load
