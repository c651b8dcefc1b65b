// What one worker answers to a question: JSON text that comes in pieces. Each is read as it comes,
// and of what it says only members that docs/channel-protocol.md (Questions) names are kept, so
// that an answer costs the broker no more than the entries in it. Pure: no I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/operator/answer_list.hpp"

namespace mpb {

struct AnswerContent {
  bool unknown = false;                             // the worker does not know the question
  std::optional<std::uint64_t> kicked;              // clients it has closed
  std::optional<std::vector<AnswerEntry>> entries;  // of the list, within the budget
  std::vector<double> totals;                       // of the list's; finite, not negative
  bool truncated = false;                           // it has more
};

class WorkerAnswer {
 public:
  /// `list` (may be null) is the one that the question is about, and outlives this.
  explicit WorkerAnswer(const AnswerList* list);
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
