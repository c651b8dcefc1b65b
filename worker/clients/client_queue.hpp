// Clients that nobody here reads while they wait for somebody's word, the first to come first. All
// of a queue wait equally long. What they hold counts as any client's memory.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "common/io/byte_counts.hpp"
#include "common/io/event_loop.hpp"
#include "worker/clients/held_client.hpp"
#include "worker/clients/memory_budget.hpp"

namespace mpb {

class ClientQueue final : private MemoryKeeper {
 public:
  struct Waiting;
  using Place = std::list<Waiting>::iterator;  // valid until it is taken
  struct Waiting {
    HeldClient client;
    TimePoint since{};
    Place place{};
    std::optional<ByteCounts> counts{};  // when it was offered
  };

  /// `relieve` is given those for whom there is no memory. The queue is one of `keepers` as long as
  /// it lives.
  ClientQueue(std::vector<MemoryKeeper*>& keepers, std::function<void(HeldClient)> relieve);
  ClientQueue(const ClientQueue&) = delete;
  ClientQueue& operator=(const ClientQueue&) = delete;
  ~ClientQueue();

  /// The place of one that comes is reused: it costs no memory once as many have waited.
  /// std::bad_alloc: it was not taken.
  Place add(HeldClient&& client, TimePoint now);
  HeldClient take(Place place);

  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] Place begin() { return waiting_.begin(); }
  [[nodiscard]] Place end() { return waiting_.end(); }

  /// Gives `expired` those that have waited for `wait`. 0: nobody ever has.
  template <class F>
  void expire(TimePoint now, Duration wait, F&& expired) {
    while (const auto due = next(wait)) {
      if (*due > now) return;
      expired(take(begin()));
    }
  }
  /// When the next has.
  [[nodiscard]] std::optional<TimePoint> next(Duration wait) const {
    if (wait.count() == 0 || waiting_.empty()) return std::nullopt;
    return waiting_.front().since + wait;
  }

 private:
  void list_memory(std::vector<MemoryShare>& shares) override;
  void relieve(const MemoryShare& share, Relief relief) override;

  std::vector<MemoryKeeper*>& keepers_;
  std::function<void(HeldClient)> relieve_;
  std::list<Waiting> waiting_;
  std::list<Waiting> spare_;
};

}  // namespace mpb
