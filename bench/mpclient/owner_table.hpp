// Watches the promise of a sticky dispatch: while any client of an id lives, all of them are at one
// worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include <boost/unordered/unordered_flat_map.hpp>

#include "bench/mpclient/answer.hpp"

namespace mpb::load {

/// Shared by all threads. A client counts from join() (it knows its worker) to leave() (called
/// before it closes or moves), which lies within its life as the server sees it; so a change of
/// owner between two lives is never taken for an error.
///
/// A client met elsewhere is only suspect at first: the worker of the others may just have died,
/// with the news still unread. It becomes certain when one of the others leaves and proves alive.
class OwnerTable {
 public:
  enum class Meeting { kAgrees, kSuspect, kWrong };

  Meeting join(std::int32_t id, Worker worker);
  /// True when clients of `id` are at two workers, so that leave() needs to know about life.
  bool contested(std::int32_t id);
  /// `alive`: the connection still stood when the client left. Returns how many clients are now
  /// known to have been at a wrong worker.
  std::uint32_t leave(std::int32_t id, Worker worker, bool alive);
  /// Ids that have clients now.
  std::size_t size();

 private:
  struct Entry {
    Worker owner;
    Worker former;
    std::uint32_t live = 0;         // clients at `owner`
    std::uint32_t former_live = 0;  // clients at `former`, met before `owner` was
    std::uint32_t suspects = 0;     // clients at `owner` met while `former` had clients
  };
  struct alignas(64) Shard {
    std::mutex mutex;
    boost::unordered_flat_map<std::int32_t, Entry> entries;
  };
  static constexpr std::size_t kShards = 64;

  Shard& shard_of(std::int32_t id);

  std::array<Shard, kShards> shards_;
};

}  // namespace mpb::load
