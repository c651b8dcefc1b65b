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

/// Entries of all answers together that are shown.
inline constexpr std::size_t kMaxEntries = 20'000;
/// All their texts together, in bytes.
inline constexpr std::size_t kMaxEntriesText = 2 * 1024 * 1024;
/// What an entry takes besides its text, to compare by.
inline constexpr std::size_t kEntryCost = kMaxEntriesText / kMaxEntries;

template <class Entry>
std::size_t text_of(const Entry& entry) {
  std::size_t text = 0;
  Entry::walk(entry, [&text]<class T>(std::string_view, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) text += value.size();
  });
  return text;
}

/// What a worker has said so far.
template <class Entry>
struct EntryShare {
  typename Entry::Totals totals;
  std::vector<Entry> entries;
  std::size_t text = 0;    // of the entries, in bytes
  bool truncated = false;  // one was left out; no further ones are taken

  [[nodiscard]] std::size_t cost() const { return entries.size() * kEntryCost + text; }
};

template <class Entry>
class EntryShares {
 public:
  EntryShare<Entry>& of(Slot slot) { return shares_[slot]; }
  [[nodiscard]] const std::map<Slot, EntryShare<Entry>>& all() const { return shares_; }
  /// To one of these.
  void add(EntryShare<Entry>& share, Entry entry) {
    const std::size_t text = text_of(entry);
    while (!share.truncated && (entries_ == kMaxEntries || text_ + text > kMaxEntriesText)) {
      EntryShare<Entry>& most = largest();
      if (most.cost() <= share.cost() + kEntryCost + text) {
        share.truncated = true;
      } else {
        most.truncated = true;
        drop_last(most);
      }
    }
    if (share.truncated) return;
    ++entries_;
    text_ += text;
    share.text += text;
    share.entries.push_back(std::move(entry));
  }
  void forget(Slot slot) {
    const auto gone = shares_.extract(slot);
    if (gone.empty()) return;
    entries_ -= gone.mapped().entries.size();
    text_ -= gone.mapped().text;
  }

 private:
  EntryShare<Entry>& largest() {
    return std::ranges::max_element(shares_, {}, [](const auto& one) { return one.second.cost(); })
        ->second;
  }
  void drop_last(EntryShare<Entry>& share) {
    const std::size_t text = text_of(share.entries.back());
    --entries_;
    text_ -= text;
    share.text -= text;
    share.entries.pop_back();
    if (share.entries.size() < share.entries.capacity() / 2) share.entries.shrink_to_fit();
  }

  std::map<Slot, EntryShare<Entry>> shares_;
  std::size_t entries_ = 0;  // of all
  std::size_t text_ = 0;
};

}  // namespace mpb
