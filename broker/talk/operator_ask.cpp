#include "broker/talk/operator_ask.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "common/base/utf8.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostShown = 2 * 1024 * 1024;

json::object object_of(WorkerId worker) {
  return {{"slot", worker.slot}, {"generation", worker.generation}};
}

void add_missing(json::object& report,
                 std::initializer_list<const std::map<WorkerId, Loss>*> losses) {
  json::array missing;
  for (const auto* lost : losses) {
    for (const auto& [worker, why] : *lost) {
      json::object one = object_of(worker);
      one["why"] = to_string(why);
      missing.push_back(std::move(one));
    }
  }
  if (!missing.empty()) report["missing"] = std::move(missing);
}

}  // namespace

void OperatorAsk::answer(WorkerId worker, const channel::Content& reply) {
  if (reply.kind == channel::Content::Kind::kRefusal) return give_up(worker, Loss::kRefused);
  if (waiting_.erase(worker) == 0) return;
  const std::string_view shown = reply.payload.substr(0, kMostShown - bytes_);
  truncated_ = truncated_ || shown.size() < reply.payload.size();
  bytes_ += shown.size();
  answers_.emplace(worker, as_utf8(shown));
}

void OperatorAsk::give_up(WorkerId worker, Loss why) {
  if (waiting_.erase(worker) != 0) missing_.emplace(worker, why);
}

json::object OperatorAsk::report() const {
  json::array answers;
  for (const auto& [worker, text] : answers_) {
    json::object answer = object_of(worker);
    answer["text"] = text;
    answers.push_back(std::move(answer));
  }
  json::object report{{"ok", true}, {"answers", std::move(answers)}};
  add_missing(report, {&missing_, &waiting_});
  if (truncated_) report["truncated"] = true;
  return report;
}

json::object OperatorAsk::report_sent() const {
  if (waiting_.empty() && !missing_.empty()) {
    return {{"ok", false}, {"error", to_string(missing_.begin()->second)}};
  }
  json::object report{{"ok", true}, {"sent", waiting_.size()}};
  add_missing(report, {&missing_});
  return report;
}

}  // namespace mpb
