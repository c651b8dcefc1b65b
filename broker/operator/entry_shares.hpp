// Which entries of all workers' answers are shown: as many as the bounds allow. Where all are more
// than fit, those of the worker that has most are left out. Pure: no I/O, no clock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "broker/dispatch/worker_table.hpp"

namespace mpb {

/// Entries of one answer, and of the answers of all workers together, that are shown.
inline constexpr std::size_t kMaxEntries = 20'000;
/// All their texts together, in bytes.
inline constexpr std::size_t kMaxEntriesText = 2 * 1024 * 1024;

/// What entries take of the bounds.
struct EntryCost {
  std::size_t entries = 0;
  std::size_t text = 0;

  [[nodiscard]] bool within_bounds() const {
    return entries <= kMaxEntries && text <= kMaxEntriesText;
  }
  /// As one figure to compare by.
  [[nodiscard]] std::size_t figure() const {
    return entries * (kMaxEntriesText / kMaxEntries) + text;
  }
  EntryCost operator+(const EntryCost& more) const {
    return {entries + more.entries, text + more.text};
  }
  EntryCost operator-(const EntryCost& less) const {
    return {entries - less.entries, text - less.text};
  }
};

template <class Entry>
EntryCost cost_of(const Entry& entry) {
  EntryCost cost{1, 0};
  Entry::walk(entry, [&cost]<class T>(std::string_view, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) cost.text += value.size();
  });
  return cost;
}

/// Of one worker.
template <class Entry>
struct EntryShare {
  std::vector<Entry> entries;
  EntryCost cost;

  /// False: it is more than is shown.
  bool add(Entry entry) {
    const EntryCost more = cost + cost_of(entry);
    if (!more.within_bounds()) return false;
    cost = more;
    entries.push_back(std::move(entry));
    return true;
  }
};

template <class Entry>
class EntryShares {
 public:
  /// False: some were left out.
  bool keep(Slot slot, std::vector<Entry> entries) {
    bool all = true;
    EntryShare<Entry>& share = shares_[slot];
    for (Entry& entry : entries) {
      const EntryCost cost = cost_of(entry);
      while (!(all_ + cost).within_bounds()) {
        all = false;
        if (!make_room((share.cost + cost).figure())) return false;
      }
      all_ = all_ + cost;
      share.add(std::move(entry));
    }
    return all;
  }
  [[nodiscard]] const std::map<Slot, EntryShare<Entry>>& all() const { return shares_; }

 private:
  /// Leaves out an entry of a worker that has more than `figure`; false: none has.
  bool make_room(std::size_t figure) {
    const auto most = std::ranges::max_element(
        shares_, {}, [](const auto& share) { return share.second.cost.figure(); });
    EntryShare<Entry>& share = most->second;
    if (share.cost.figure() <= figure) return false;
    const EntryCost cost = cost_of(share.entries.back());
    share.cost = share.cost - cost;
    all_ = all_ - cost;
    share.entries.pop_back();
    return true;
  }

  std::map<Slot, EntryShare<Entry>> shares_;
  EntryCost all_;
};

}  // namespace mpb
