#include "broker/operator/worker_answer.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>

#include "proto/channel/message.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 8;  // nested objects and arrays

/// The place of a name among others; their number when it is not there.
std::size_t index_of(Names names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// Told by the parser what the text is made of; see boost::json::basic_parser.
class ContentReader {
 public:
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = 4096;
  static constexpr std::size_t max_string_size = 4096;

  explicit ContentReader(const AnswerList* list) : list_(list) {
    if (list != nullptr) content.totals.resize(list->totals.size());
  }

  AnswerContent content;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    if (++depth_ == kEntryDepth && in_list_) {
      in_entry_ = true;
      entry_ = AnswerEntry(*list_);
    }
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    if (describes_entry()) keep_entry();
    --depth_;
    return true;
  }
  bool on_array_begin(json::error_code& error) {
    if (depth_ == 0) {
      error = json::error::not_object;
      return false;
    }
    if (++depth_ == kListDepth && list_ != nullptr && key_ == list_->name) {
      in_list_ = true;
      content.entries.emplace();
    }
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    if (depth_-- == kListDepth) in_list_ = false;
    return true;
  }
  bool on_key_part(std::string_view part, std::size_t, json::error_code&) {
    text_ += part;
    return true;
  }
  bool on_key(std::string_view part, std::size_t, json::error_code&) {
    text_ += part;
    key_ = std::exchange(text_, {});
    return true;
  }
  bool on_string_part(std::string_view part, std::size_t, json::error_code&) {
    text_ += part;
    return true;
  }
  bool on_string(std::string_view part, std::size_t, json::error_code& error) {
    text_ += part;
    std::string text = std::exchange(text_, {});
    if (describes_entry()) {
      const std::size_t i = index_of(list_->texts, key_);
      if (i < entry_.texts.size()) entry_.texts[i] = std::move(text);
    }
    return is_inside(error);
  }
  bool on_number_part(std::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, std::string_view, json::error_code& error) {
    if (number >= 0) return on_uint64(static_cast<std::uint64_t>(number), {}, error);
    return is_inside(error);
  }
  bool on_uint64(std::uint64_t number, std::string_view, json::error_code& error) {
    if (depth_ == 1 && key_ == "kicked") content.kicked = number;
    return on_double(static_cast<double>(number), {}, error);
  }
  bool on_double(double number, std::string_view, json::error_code& error) {
    if (std::isfinite(number) && number >= 0) {
      if (describes_entry()) keep_number(list_->numbers, entry_.numbers, number);
      if (depth_ == 1 && list_ != nullptr) keep_number(list_->totals, content.totals, number);
    }
    return is_inside(error);
  }
  bool on_bool(bool value, json::error_code& error) {
    if (depth_ == 1 && key_ == "unknown") content.unknown = value;
    if (describes_entry()) {
      const std::size_t i = index_of(list_->flags, key_);
      if (i < entry_.flags.size()) entry_.flags[i] = value;
    }
    return is_inside(error);
  }
  bool on_null(json::error_code& error) { return is_inside(error); }
  bool on_comment_part(std::string_view, json::error_code&) { return true; }
  bool on_comment(std::string_view, json::error_code&) { return true; }

 private:
  static constexpr std::size_t kListDepth = 2;
  static constexpr std::size_t kEntryDepth = 3;

  [[nodiscard]] bool describes_entry() const { return in_entry_ && depth_ == kEntryDepth; }
  /// A value outside of everything is no object.
  bool is_inside(json::error_code& error) const {
    if (depth_ == 0) error = json::error::not_object;
    return depth_ > 0;
  }
  void keep_number(Names names, std::vector<double>& numbers, double number) const {
    const std::size_t i = index_of(names, key_);
    if (i < numbers.size()) numbers[i] = number;
  }
  void keep_entry() {
    in_entry_ = false;
    const bool named = std::ranges::none_of(std::span(entry_.texts).first(list_->named),
                                            [](const std::string& text) { return text.empty(); });
    if (!named) return;
    if (budget_.take(entry_)) {
      content.entries->push_back(std::move(entry_));
    } else {
      content.truncated = true;
    }
  }

  const AnswerList* list_;
  std::size_t depth_ = 0;  // of objects and arrays around what comes
  std::string key_;        // the latest
  std::string text_;       // the parts of a key or text so far
  AnswerEntry entry_;
  EntryBudget budget_;
  bool in_list_ = false;   // the array that is the list
  bool in_entry_ = false;  // an object right in it
};

json::parse_options parse_options() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

}  // namespace

struct WorkerAnswer::Parser : json::basic_parser<ContentReader> {
  explicit Parser(const AnswerList* list) : basic_parser(parse_options(), list) {}
};

WorkerAnswer::WorkerAnswer(const AnswerList* list) : parser_(std::make_unique<Parser>(list)) {}
WorkerAnswer::WorkerAnswer(WorkerAnswer&&) noexcept = default;
WorkerAnswer& WorkerAnswer::operator=(WorkerAnswer&&) noexcept = default;
WorkerAnswer::~WorkerAnswer() = default;

bool WorkerAnswer::add(std::string_view piece, bool last) {
  size_ += piece.size();
  if (size_ > channel::kMaxAnswer) return false;
  json::error_code error;
  return parser_->write_some(!last, piece.data(), piece.size(), error) == piece.size() && !error;
}

AnswerContent& WorkerAnswer::content() {
  return parser_->handler().content;
}

}  // namespace mpb
