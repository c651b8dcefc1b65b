#include "broker/operator/inquiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>

#include "broker/operator/entry_shares.hpp"
#include "common/answers/record.hpp"
#include "common/base/counter_json.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

/// A whole number is written as one.
json::value number_value(double number) {
  if (number <= static_cast<double>(kMostCounted) && std::floor(number) == number) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

/// The columns in their order.
template <class Entry>
json::object entry_object(const Entry& entry) {
  json::object object;
  Entry::walk(entry, [&object]<class T>(std::string_view column, const T& value) {
    if constexpr (requires { T::counters(); }) {
      put(object, value);
    } else if constexpr (std::is_same_v<T, double>) {
      object.emplace(column, number_value(value));
    } else {
      object.emplace(column, value);
    }
  });
  return object;
}

template <class Entry>
class ListInquiry : public Inquiry {
 public:
  [[nodiscard]] json::object report() const override {
    std::vector<std::pair<const Entry*, Slot>> sorted;
    bool truncated = false;
    for (const auto& [slot, share] : shares_.all()) {
      for (const Entry& entry : share.entries) sorted.emplace_back(&entry, slot);
      truncated = truncated || share.truncated;
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
    put(report, totals());
    add_missing(report);
    if (truncated) report["truncated"] = true;
    return report;
  }

 protected:
  [[nodiscard]] typename Entry::Totals totals() const {
    typename Entry::Totals totals;
    for (const auto& [slot, share] : shares_.all()) add(totals, share.totals);
    return totals;
  }

 private:
  bool take(Slot slot, const channel::Answer& piece) override {
    EntryShare<Entry>& share = shares_.of(slot);
    share.totals = {};
    take_values(share.totals, piece.totals);
    return read_records<Entry>(piece.records, [this, &share](Entry entry) {
      if (entry.named()) shares_.add(share, std::move(entry));
    });
  }
  void forget(Slot slot) override { shares_.forget(slot); }

  EntryShares<Entry> shares_;
};

class KickInquiry final : public ListInquiry<KickEntry> {
 public:
  explicit KickInquiry(std::string stream) : stream_(std::move(stream)) {}

  [[nodiscard]] json::object report() const override {
    const KickEntry::Totals done = totals();
    json::object report{{"ok", done.kicked > 0}};
    if (done.kicked > 0) {
      put(report, done);
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

/// The first of Entries with this question; null: none has it.
template <class... Entries>
std::unique_ptr<Inquiry> make_list(std::string_view question) {
  std::unique_ptr<Inquiry> list;
  (void)((question == Entries::kQuestion && (list = std::make_unique<ListInquiry<Entries>>())) ||
         ...);
  return list;
}
constexpr auto make_list_of = make_list<StreamEntry, UpstreamEntry, HookEntry>;

}  // namespace

void Inquiry::give_up(Slot slot) {
  waiting_.erase(slot);
  missing_.insert(slot);
  forget(slot);
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
  if ((piece.flags & channel::Answer::kLast) != 0) waiting_.erase(found);
}

void Inquiry::add_missing(json::object& report) const {
  if (missing_.empty()) return;
  report["missing"] = json::array(missing_.begin(), missing_.end());
}

bool has_list(std::string_view question) {
  return make_list_of(question) != nullptr;
}

std::unique_ptr<Inquiry> make_inquiry(std::string_view question, std::string argument) {
  auto list = make_list_of(question);
  return list ? std::move(list) : std::make_unique<KickInquiry>(std::move(argument));
}

}  // namespace mpb
