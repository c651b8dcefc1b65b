#include "broker/operator/answer_list.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "common/base/counters.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 6> kStreamTexts{"vhost",     "app",   "stream",
                                                       "publisher", "video", "audio"};
constexpr std::array<std::string_view, 11> kStreamNumbers{
    "width", "height", "fps",   "kbps_in",    "kbps_out", "players",
    "drops", "cut",    "age_s", "kept_bytes", "given_up"};

constexpr std::array<std::string_view, 1> kStreamTotals{"ignored"};

constexpr std::array<std::string_view, 3> kUpstreamTexts{"vhost", "address", "why"};
constexpr auto kUpstreamNumbers = counter_names<UpstreamCounters>();
constexpr std::array<std::string_view, 2> kUpstreamFlags{"backup", "out"};
constexpr std::array<std::string_view, 2> kUpstreamTotals{"clients", "unserved"};

constexpr std::array<std::string_view, 2> kHookTexts{"server", "state"};
constexpr auto kHookNumbers = counter_names<HookCounters>();

constexpr std::array<AnswerList, 3> kLists{{
    {"streams", kStreamTexts, kStreamNumbers, {}, 3, 2, kStreamTotals},
    {"upstreams", kUpstreamTexts, kUpstreamNumbers, kUpstreamFlags, 2, 2, kUpstreamTotals},
    {"hooks", kHookTexts, kHookNumbers, {}, 1, 0, {}},
}};

}  // namespace

const AnswerList* find_answer_list(std::string_view question) {
  const auto* const found = std::ranges::find(kLists, question, &AnswerList::name);
  return found == kLists.end() ? nullptr : found;
}

json::value number_value(double number) {
  constexpr double kExact = 9'007'199'254'740'992;  // 2^53
  if (number <= kExact && std::floor(number) == number) return static_cast<std::int64_t>(number);
  return number;
}

json::object entry_object(const AnswerList& list, const AnswerEntry& entry) {
  json::object object(list.texts.size() + list.numbers.size() + list.flags.size() + 1);
  for (std::size_t i = 0; i < list.texts.size(); ++i) {
    object.emplace(list.texts[i], entry.texts[i]);
  }
  for (std::size_t i = 0; i < list.numbers.size(); ++i) {
    object.emplace(list.numbers[i], number_value(entry.numbers[i]));
  }
  for (std::size_t i = 0; i < list.flags.size(); ++i) {
    object.emplace(list.flags[i], static_cast<bool>(entry.flags[i]));
  }
  return object;
}

namespace {

std::size_t text_of(const AnswerEntry& entry) {
  std::size_t text = 0;
  for (const std::string& part : entry.texts) text += part.size();
  return text;
}

}  // namespace

std::size_t cost_of(const AnswerEntry& entry) {
  return kMaxEntriesText / kMaxEntries + text_of(entry);
}

void EntryBudget::give_back(const AnswerEntry& entry) {
  --entries_;
  text_ -= text_of(entry);
}

bool EntryBudget::take(const AnswerEntry& entry) {
  const std::size_t text = text_ + text_of(entry);
  if (entries_ == kMaxEntries || text > kMaxEntriesText) return false;
  ++entries_;
  text_ = text;
  return true;
}

}  // namespace mpb
