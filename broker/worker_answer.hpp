// What one worker answers to a question: JSON text that comes in pieces. Each is read as it comes,
// and of what it says only members that docs/channel-protocol.md (Questions) names are kept, so
// that an answer costs the broker no more than the streams in it. Pure: no I/O, no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mpb {

/// Streams of one answer, and of the answers of all workers together, that are shown.
inline constexpr std::size_t kMaxStreams = 20'000;
/// All their texts together, in bytes.
inline constexpr std::size_t kMaxStreamsText = 2 * 1024 * 1024;

/// A live stream, as its worker describes it: what it did not say is empty or 0.
struct StreamEntry {
  static constexpr std::array<std::string_view, 6> kTexts{"vhost",     "app",   "stream",
                                                          "publisher", "video", "audio"};
  static constexpr std::array<std::string_view, 9> kNumbers{
      "width", "height", "fps", "kbps_in", "kbps_out", "players", "drops", "cut", "age_s"};
  std::array<std::string, kTexts.size()> texts;
  std::array<double, kNumbers.size()> numbers{};  // finite, not negative
};

/// Counts streams against the bounds above.
class StreamBudget {
 public:
  /// False: it is too much.
  bool take(const StreamEntry& stream);

 private:
  std::size_t streams_ = 0;
  std::size_t text_ = 0;
};

struct AnswerContent {
  bool unknown = false;                             // the worker does not know the question
  std::optional<std::uint64_t> kicked;              // clients it has closed
  std::optional<std::vector<StreamEntry>> streams;  // within the budget
  bool truncated = false;                           // it has more
};

class WorkerAnswer {
 public:
  WorkerAnswer();
  WorkerAnswer(WorkerAnswer&&) noexcept;
  WorkerAnswer& operator=(WorkerAnswer&&) noexcept;
  ~WorkerAnswer();

  /// False: it is too long, too deep or not one JSON object, and no further piece may be added.
  bool add(std::string_view piece, bool last);
  /// Whole once the last piece was added.
  [[nodiscard]] AnswerContent& content();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::size_t size_ = 0;
};

}  // namespace mpb
