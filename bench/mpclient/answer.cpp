#include "bench/mpclient/answer.hpp"

#include <charconv>

namespace mpb::load {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

bool take_id(std::string_view& text, std::optional<std::int32_t>& id) {
  if (text.starts_with("- ")) return take(text, "-");
  return take_number(text, id.emplace());
}

bool parse_who(std::string_view text, Who& who) {
  return take(text, "worker=") && take_number(text, who.worker.slot) && take(text, " pid=") &&
         take_number(text, who.worker.pid) && take(text, " id=") && take_id(text, who.id) &&
         take(text, " hops=") && take_number(text, who.hops) && text.empty();
}

}  // namespace

Answer parse_answer(std::string_view text) {
  Answer answer;
  if (text == kGreetingText) {
    answer.kind = Answer::Kind::kGreeting;
  } else if (text == kBusyText) {
    answer.kind = Answer::Kind::kBusy;
  } else if (parse_who(text, answer.who)) {
    answer.kind = Answer::Kind::kWho;
  }
  return answer;
}

bool AnswerReader::keep(std::string_view bytes) {
  if (bytes.size() > kMaxAnswer - kept_) return false;
  bytes.copy(partial_.data() + kept_, bytes.size());
  kept_ = static_cast<std::uint8_t>(kept_ + bytes.size());
  return true;
}

}  // namespace mpb::load
