#include "broker/operator/inquiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>

#include "broker/operator/entry_json.hpp"
#include "broker/operator/entry_shares.hpp"
#include "common/answers/record.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

template <class Entry>
class ListInquiry : public Inquiry {
 public:
  [[nodiscard]] json::object report() const override {
    std::vector<std::pair<const Entry*, Slot>> sorted;
    for (const auto& [slot, share] : shares_.all()) {
      for (const Entry& entry : share.entries) sorted.emplace_back(&entry, slot);
    }
    std::ranges::sort(
        sorted, {}, [](const auto& entry) { return std::pair(entry.first->key(), entry.second); });
    json::array entries;
    entries.reserve(sorted.size());
    for (const auto& [entry, slot] : sorted) {
      json::object object = entry_object(*entry);
      object.emplace("slot", slot);
      entries.push_back(std::move(object));
    }
    json::object report{{"ok", true}, {Entry::kQuestion, std::move(entries)}};
    put(report, totals_);
    add_missing(report);
    if (truncated_) report["truncated"] = true;
    return report;
  }

 protected:
  [[nodiscard]] const typename Entry::Totals& totals() const { return totals_; }

 private:
  /// Of a worker that has more to say.
  struct Part {
    EntryShare<Entry> share;
    typename Entry::Totals totals;
    bool truncated = false;
  };

  bool take(Slot slot, const channel::Answer& piece) override {
    Part& part = parts_[slot];
    take_values(part.totals, piece.totals);
    return read_records<Entry>(piece.records, [&part](Entry entry) {
      if (entry.named() && !part.share.add(std::move(entry))) part.truncated = true;
    });
  }

  void end(Slot slot, bool whole) override {
    const auto found = parts_.extract(slot);
    if (found.empty() || !whole) return;
    Part& part = found.mapped();
    add(totals_, part.totals);
    const bool all = shares_.keep(slot, std::move(part.share.entries));
    truncated_ = truncated_ || part.truncated || !all;
  }

  std::map<Slot, Part> parts_;
  EntryShares<Entry> shares_;
  typename Entry::Totals totals_;
  bool truncated_ = false;
};

class KickInquiry final : public ListInquiry<KickEntry> {
 public:
  explicit KickInquiry(std::string stream) : stream_(std::move(stream)) {}

  [[nodiscard]] json::object report() const override {
    json::object report{{"ok", totals().kicked > 0}};
    if (totals().kicked > 0) {
      put(report, totals());
    } else {
      std::string error = fmt::format("no such stream '{}'", stream_);
      if (!missing().empty()) {
        error += fmt::format(" (no answer from worker {})", fmt::join(missing(), ", "));
      }
      report["error"] = error;
    }
    add_missing(report);
    return report;
  }

 private:
  std::string stream_;
};

template <class Entry>
std::unique_ptr<Inquiry> make_list() {
  return std::make_unique<ListInquiry<Entry>>();
}

struct List {
  std::string_view question;
  std::unique_ptr<Inquiry> (*make)();
};

template <class... Entries>
constexpr std::array<List, sizeof...(Entries)> lists_of() {
  return {List{Entries::kQuestion, make_list<Entries>}...};
}
constexpr auto kLists = lists_of<StreamEntry, UpstreamEntry, HookEntry>();

}  // namespace

void Inquiry::give_up(Slot slot) {
  waiting_.erase(slot);
  missing_.insert(slot);
  end(slot, false);
}

void Inquiry::give_up_all() {
  while (!waiting_.empty()) give_up(waiting_.begin()->first);
}

void Inquiry::on_answer(Slot slot, const channel::Answer& piece) {
  const auto found = waiting_.find(slot);
  if (found == waiting_.end()) return;
  found->second += piece.records.size();
  if (found->second > channel::kMaxAnswer) return give_up(slot);
  const bool unknown = (piece.flags & channel::Answer::kUnknown) != 0;
  if (!unknown && !take(slot, piece)) return give_up(slot);
  if ((piece.flags & channel::Answer::kLast) == 0) return;
  waiting_.erase(found);
  end(slot, true);
}

void Inquiry::add_missing(json::object& report) const {
  if (missing_.empty()) return;
  report["missing"] = json::array(missing_.begin(), missing_.end());
}

bool has_list(std::string_view question) {
  return std::ranges::find(kLists, question, &List::question) != kLists.end();
}

std::unique_ptr<Inquiry> make_inquiry(std::string_view question, std::string argument) {
  const auto* const list = std::ranges::find(kLists, question, &List::question);
  if (list != kLists.end()) return list->make();
  return std::make_unique<KickInquiry>(std::move(argument));
}

}  // namespace mpb
