#include "broker/inquiry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <boost/json/array.hpp>

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxKicked = 1'000'000'000;  // of one worker: the sum does not overflow

/// A whole number is written as one.
json::value number_value(double number) {
  constexpr double kExact = 9'007'199'254'740'992;  // 2^53
  if (number <= kExact && std::floor(number) == number) return static_cast<std::int64_t>(number);
  return number;
}

json::object stream_object(const StreamEntry& stream, Slot slot) {
  json::object object(StreamEntry::kTexts.size() + StreamEntry::kNumbers.size() + 1);
  for (std::size_t i = 0; i < stream.texts.size(); ++i) {
    object.emplace(StreamEntry::kTexts[i], stream.texts[i]);
  }
  for (std::size_t i = 0; i < stream.numbers.size(); ++i) {
    object.emplace(StreamEntry::kNumbers[i], number_value(stream.numbers[i]));
  }
  object.emplace("slot", slot);
  return object;
}

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
  if (!content.unknown && !content.kicked && !content.streams) return give_up(slot);
  kicked_ += std::min(content.kicked.value_or(0), kMaxKicked);
  truncated_ = truncated_ || content.truncated;
  if (!content.streams) return;
  for (StreamEntry& stream : *content.streams) {
    if (!budget_.take(stream)) {
      truncated_ = true;
      return;
    }
    streams_.emplace_back(std::move(stream), slot);
  }
}

void Inquiry::add_missing(json::object& report) const {
  if (missing_.empty()) return;
  report["missing"] = json::array(missing_.begin(), missing_.end());
}

json::object Inquiry::streams_report() {
  const auto place = [](const std::pair<StreamEntry, Slot>& entry) {
    const auto& texts = entry.first.texts;
    return std::tie(texts[0], texts[1], texts[2], entry.second);  // vhost, app, stream
  };
  std::sort(streams_.begin(), streams_.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  json::array streams;
  streams.reserve(streams_.size());
  for (const auto& [stream, slot] : streams_) streams.push_back(stream_object(stream, slot));
  json::object report{{"ok", true}, {"streams", std::move(streams)}};
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
