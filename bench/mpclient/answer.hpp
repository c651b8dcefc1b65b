// What a server of the control protocol answers: texts that end with a NUL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mpb::load {

inline constexpr std::string_view kGreetingText = "hello, server ping!";
inline constexpr std::string_view kBusyText = "busy";

/// A worker as `W` names it. A restarted worker keeps its slot and has another pid.
struct Worker {
  std::int32_t slot = -1;
  std::int64_t pid = 0;
  bool operator==(const Worker&) const = default;
};

/// "worker=<slot> pid=<pid> id=<id|-> hops=<n>".
struct Who {
  Worker worker;
  std::optional<std::int32_t> id;  // none while the client belongs to no id
  std::uint32_t hops = 0;
};

struct Answer {
  enum class Kind { kGreeting, kBusy, kWho, kOther };
  Kind kind = Kind::kOther;
  Who who;
};

/// Strict: anything that is not exactly one of the protocol's answers is kOther.
Answer parse_answer(std::string_view text);

/// Cuts a stream into answers, whatever pieces it comes in.
class AnswerReader {
 public:
  static constexpr std::size_t kMaxAnswer = 120;  // without its NUL

  enum class Outcome { kRead, kStopped, kTooLong };

  /// Calls `sink(text)` for each answer that is complete. When the sink returns false, reading
  /// stops at once and this object is not touched again (the sink may have destroyed it).
  template <class Sink>
  Outcome feed(std::string_view bytes, Sink&& sink) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\0');
      if (end == std::string_view::npos) return keep(bytes) ? Outcome::kRead : Outcome::kTooLong;
      std::string_view text = bytes.substr(0, end);
      if (kept_ > 0) {
        if (!keep(text)) return Outcome::kTooLong;
        text = {partial_.data(), kept_};
        kept_ = 0;
      } else if (text.size() > kMaxAnswer) {
        return Outcome::kTooLong;
      }
      bytes.remove_prefix(end + 1);
      if (!sink(text)) return Outcome::kStopped;
    }
    return Outcome::kRead;
  }

  /// True between the first byte of an answer and its last.
  [[nodiscard]] bool inside_answer() const { return kept_ > 0; }
  void reset() { kept_ = 0; }

 private:
  bool keep(std::string_view bytes);

  std::array<char, kMaxAnswer> partial_{};
  std::uint8_t kept_ = 0;
};

}  // namespace mpb::load
