#include "broker/operator/inquiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <boost/json/array.hpp>

namespace mpb {
namespace {

namespace json = boost::json;

constexpr double kMaxTotal = 1e15;                   // of one worker: the sum is exact
constexpr std::uint64_t kMaxKicked = 1'000'000'000;  // of one worker: the sum does not overflow

}  // namespace

void Inquiry::give_up(Slot slot) {
  waiting_.erase(slot);
  missing_.insert(slot);
}

void Inquiry::give_up_all() {
  while (!waiting_.empty()) give_up(waiting_.begin()->first);
}

void Inquiry::on_answer(Slot slot, const channel::Answer& piece) {
  const auto found = waiting_.find(slot);
  if (found == waiting_.end()) return;
  const bool last = (piece.flags & channel::Answer::kLast) != 0;
  if (!found->second.add(piece.text, last)) return give_up(slot);
  if (!last) return;
  AnswerContent content = std::move(found->second.content());
  waiting_.erase(found);
  take(slot, std::move(content));
}

void Inquiry::take(Slot slot, AnswerContent content) {
  if (!content.unknown && !content.kicked && !content.entries) return give_up(slot);
  kicked_ += std::min(content.kicked.value_or(0), kMaxKicked);
  truncated_ = truncated_ || content.truncated;
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    totals_[i] += std::min(content.totals[i], kMaxTotal);
  }
  if (content.entries) keep(slot, *content.entries);
}

void Inquiry::keep(Slot slot, std::vector<AnswerEntry>& entries) {
  Share& share = entries_[slot];
  for (AnswerEntry& entry : entries) {
    const std::size_t cost = share.cost + cost_of(entry);
    while (!budget_.take(entry)) {
      truncated_ = true;
      if (!make_room(cost)) return;
    }
    share.cost = cost;
    share.entries.push_back(std::move(entry));
  }
}

bool Inquiry::make_room(std::size_t cost) {
  const auto most =
      std::ranges::max_element(entries_, {}, [](const auto& entry) { return entry.second.cost; });
  if (most == entries_.end() || most->second.cost <= cost) return false;
  Share& share = most->second;
  budget_.give_back(share.entries.back());
  share.cost -= cost_of(share.entries.back());
  share.entries.pop_back();
  return true;
}

void Inquiry::add_missing(json::object& report) const {
  if (missing_.empty()) return;
  report["missing"] = json::array(missing_.begin(), missing_.end());
}

json::object Inquiry::list_report() {
  std::vector<std::pair<const AnswerEntry*, Slot>> sorted;
  for (const auto& [slot, share] : entries_) {
    for (const AnswerEntry& entry : share.entries) sorted.emplace_back(&entry, slot);
  }
  std::ranges::sort(sorted, [this](const auto& a, const auto& b) {
    for (std::size_t i = 0; i < list_->key; ++i) {
      const int order = a.first->texts[i].compare(b.first->texts[i]);
      if (order != 0) return order < 0;
    }
    return a.second < b.second;
  });
  json::array entries;
  entries.reserve(sorted.size());
  for (const auto& [entry, slot] : sorted) {
    json::object object = entry_object(*list_, *entry);
    object.emplace("slot", slot);
    entries.push_back(std::move(object));
  }
  json::object report{{"ok", true}, {list_->name, std::move(entries)}};
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    report[list_->totals[i]] = number_value(totals_[i]);
  }
  add_missing(report);
  if (truncated_) report["truncated"] = true;
  return report;
}

json::object Inquiry::kick_report(std::string_view stream) const {
  json::object report{{"ok", kicked_ > 0}};
  if (kicked_ > 0) {
    report["kicked"] = kicked_;
  } else {
    std::string error = fmt::format("no such stream '{}'", stream);
    if (!missing_.empty()) {
      error += fmt::format(" (no answer from worker {})", fmt::join(missing_, ", "));
    }
    report["error"] = error;
  }
  add_missing(report);
  return report;
}

}  // namespace mpb
