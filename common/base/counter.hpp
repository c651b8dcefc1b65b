// What a counter is: a line of one of the lists in common/base/counters.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace mpb {

enum class CounterKind : std::uint8_t {
  kCount,  // of what happened: it never falls
  kNow,    // how it is now
  kPeak,   // the most that ever was
};

enum class CounterUnit : std::uint8_t { kNone, kBytes, kMilliseconds };

struct CounterInfo {
  CounterKind kind;
  // In the status: "handoffs.in" is the member `in` of the object `handoffs`. Its end is its unit.
  std::string_view name;
  std::string_view column;  // of mpctl's tables, where those of one title are added up; or empty
  std::string_view help;

  [[nodiscard]] constexpr CounterUnit unit() const {
    if (name.ends_with("_bytes")) return CounterUnit::kBytes;
    return name.ends_with("_ms") ? CounterUnit::kMilliseconds : CounterUnit::kNone;
  }
  [[nodiscard]] constexpr bool counts() const { return kind == CounterKind::kCount; }
  [[nodiscard]] constexpr bool is_gauge() const { return !counts(); }
  [[nodiscard]] constexpr bool of_handoffs() const { return name.starts_with("handoffs."); }
};
constexpr bool any_counter(const CounterInfo&) {
  return true;
}

/// A counter of a struct that has several.
template <class Block>
struct Counter : CounterInfo {
  std::uint64_t Block::*value;
};

/// The most that is counted; JSON bears it.
inline constexpr std::uint64_t kMostCounted = 1ULL << 53U;

/// In the order of the list, as they lie on the channel.
template <class Block>
constexpr auto counter_values(const Block& block) {
  constexpr auto kCounters = Block::counters();
  std::array<std::uint64_t, kCounters.size()> values{};
  std::ranges::transform(kCounters, values.begin(),
                         [&block](const auto& counter) { return block.*counter.value; });
  return values;
}

/// Of values as another process tells them, which may end after any: what is only counted stays as
/// it was where less is told, the rest is 0.
template <class Block, class Values>
void take_values(Block& block, const Values& values) {
  auto value = values.begin();
  for (const auto& counter : Block::counters()) {
    std::uint64_t& kept = block.*counter.value;
    const std::uint64_t least = counter.kind == CounterKind::kNow ? 0 : kept;
    kept = std::clamp(value != values.end() ? *value++ : std::uint64_t{0}, least, kMostCounted);
  }
}

/// Neither may be above kMostCounted.
template <class Block>
void add(Block& sum, const Block& more) {
  for (const auto& counter : Block::counters()) {
    sum.*counter.value = std::min(sum.*counter.value + more.*counter.value, kMostCounted);
  }
}

}  // namespace mpb

// The members of a struct, and its counters(), from a list of lines X(member, CounterInfo...).
#define MPB_COUNTER_MEMBER(member, ...) std::uint64_t member = 0;
#define MPB_COUNTER_INFO(member, ...) ::mpb::Counter<Self>{{__VA_ARGS__}, &Self::member},
#define MPB_COUNTERS(Block, LIST)                                  \
  LIST(MPB_COUNTER_MEMBER)                                         \
  static constexpr auto counters() {                               \
    using Self = Block;                                            \
    using enum ::mpb::CounterKind;                                 \
    return std::to_array<Counter<Self>>({LIST(MPB_COUNTER_INFO)}); \
  }
