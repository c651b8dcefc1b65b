#include "worker/clients/memory_relief.hpp"

#include <malloc.h>

#include <utility>

#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr Duration kLineInterval{60'000};
// Where the system gives no memory, clients that hold less are no help.
constexpr std::uint64_t kLittle = 1024UL * 1024;

}  // namespace

void MemoryRelief::end_turn() {
  MemoryBudget& memory = environment_.memory;
  const bool refused = reserve_.was_short();
  if (!refused && !memory.is_full()) return;
  std::vector<MemoryShare> shares;
  list_memory(shares);
  for (MemoryKeeper* keeper : environment_.memory_keepers) keeper->list_memory(shares);
  const std::uint64_t before = memory.used();
  // Where the system has no more, a quarter of what is held is a beginning.
  const auto orders =
      refused ? memory.plan(shares, before - before / 4, Relief::kClose) : memory.plan(shares);
  for (const MemoryBudget::Order& order : orders) {
    const MemoryShare& share = shares[order.share];
    if (refused && order.relief == Relief::kClose && share.bytes < kLittle) continue;
    share.keeper->relieve(share, order.relief);
    ++untold_[static_cast<std::size_t>(order.relief)];
  }
  memory.relieved();
  tell(before, refused);
  if (!refused) return;
  ::malloc_trim(0);
  reserve_.restore();
}

void MemoryRelief::tell(std::uint64_t before, bool refused) {
  const TimePoint now = worker_.loop.now();
  if (now < next_line_) return;
  next_line_ = now + kLineInterval;
  LogLine line(LogLevel::kWarning, "media_memory.full");
  line("limit", environment_.memory.limit())("bytes", before)("left", environment_.memory.used())(
      "trimmed", std::exchange(untold_[0], 0))("skipped", std::exchange(untold_[1], 0))(
      "closed", std::exchange(untold_[2], 0));
  if (refused) {
    line("why", "the system gave no memory");
  } else {
    line("help", "those who had most gave up some of it; raise media-memory");
  }
}

void MemoryRelief::list_memory(std::vector<MemoryShare>& shares) {
  worker_.clients.for_each([this, &shares](Session& session) {
    MemoryShare share = session.memory_share();
    share.keeper = this;
    if (share.bytes > 0) shares.push_back(std::move(share));
  });
}

void MemoryRelief::relieve(const MemoryShare& share, Relief relief) {
  if (relief == Relief::kClose) static_cast<Session*>(share.item)->close_for_memory();
}

}  // namespace mpb
