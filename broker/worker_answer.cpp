#include "broker/worker_answer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>

#include "proto/message.hpp"

namespace mpb {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 8;  // nested objects and arrays

/// The place of a name in a list; the list's size when it is not there.
template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// Told by the parser what the text is made of; see boost::json::basic_parser.
class ContentReader {
 public:
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = 4096;
  static constexpr std::size_t max_string_size = 4096;

  AnswerContent content;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    if (++depth_ == kStreamDepth && in_streams_) {
      in_stream_ = true;
      stream_ = {};
    }
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    if (in_stream_ && depth_ == kStreamDepth) keep_stream();
    --depth_;
    return true;
  }
  bool on_array_begin(json::error_code& error) {
    if (depth_ == 0) {
      error = json::error::not_object;
      return false;
    }
    if (++depth_ == kStreamsDepth && key_ == "streams") {
      in_streams_ = true;
      content.streams.emplace();
    }
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    if (depth_-- == kStreamsDepth) in_streams_ = false;
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
    const std::size_t i = index_of(StreamEntry::kTexts, key_);
    if (describes_stream() && i < stream_.texts.size()) stream_.texts[i] = std::move(text);
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
    const std::size_t i = index_of(StreamEntry::kNumbers, key_);
    const bool fits = std::isfinite(number) && number >= 0;
    if (fits && describes_stream() && i < stream_.numbers.size()) stream_.numbers[i] = number;
    return is_inside(error);
  }
  bool on_bool(bool value, json::error_code& error) {
    if (depth_ == 1 && key_ == "unknown") content.unknown = value;
    return is_inside(error);
  }
  bool on_null(json::error_code& error) { return is_inside(error); }
  bool on_comment_part(std::string_view, json::error_code&) { return true; }
  bool on_comment(std::string_view, json::error_code&) { return true; }

 private:
  static constexpr std::size_t kStreamsDepth = 2;
  static constexpr std::size_t kStreamDepth = 3;

  [[nodiscard]] bool describes_stream() const { return in_stream_ && depth_ == kStreamDepth; }
  /// A value outside of everything is no object.
  bool is_inside(json::error_code& error) const {
    if (depth_ == 0) error = json::error::not_object;
    return depth_ > 0;
  }
  void keep_stream() {
    in_stream_ = false;
    const bool named = std::none_of(stream_.texts.begin(), stream_.texts.begin() + 3,
                                    [](const std::string& text) { return text.empty(); });
    if (!named) return;
    if (budget_.take(stream_)) {
      content.streams->push_back(std::move(stream_));
    } else {
      content.truncated = true;
    }
  }

  std::size_t depth_ = 0;  // of objects and arrays around what comes
  std::string key_;        // the latest
  std::string text_;       // the parts of a key or text so far
  StreamEntry stream_;
  StreamBudget budget_;
  bool in_streams_ = false;  // the array of streams
  bool in_stream_ = false;   // an object right in it
};

json::parse_options parse_options() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

}  // namespace

bool StreamBudget::take(const StreamEntry& stream) {
  std::size_t text = text_;
  for (const std::string& part : stream.texts) text += part.size();
  if (streams_ == kMaxStreams || text > kMaxStreamsText) return false;
  ++streams_;
  text_ = text;
  return true;
}

struct WorkerAnswer::Parser : json::basic_parser<ContentReader> {
  Parser() : basic_parser(parse_options()) {}
};

WorkerAnswer::WorkerAnswer() : parser_(std::make_unique<Parser>()) {}
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
