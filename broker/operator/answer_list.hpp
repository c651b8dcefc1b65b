// The lists that workers answer an operator's question with, and what is passed on of them. Pure:
// no I/O, no clock.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace mpb {

/// Entries of one answer, and of the answers of all workers together, that are shown.
inline constexpr std::size_t kMaxEntries = 20'000;
/// All their texts together, in bytes.
inline constexpr std::size_t kMaxEntriesText = 2 * 1024 * 1024;

using Names = std::span<const std::string_view>;

/// What may be in the answer to a question: everything else is left out.
struct AnswerList {
  std::string_view name;  // of the question, and of the list in its answer
  // Members of each entry.
  Names texts;
  Names numbers;
  Names flags;
  std::size_t key;    // so many of the texts, the first, name an entry
  std::size_t named;  // so many of them are not empty
  // Numbers beside the list, added up over all workers.
  Names totals;
};

/// Null: the question has no list.
const AnswerList* find_answer_list(std::string_view question);

/// What the worker did not say is empty, 0 or false.
struct AnswerEntry {
  AnswerEntry() = default;
  explicit AnswerEntry(const AnswerList& list)
      : texts(list.texts.size()), numbers(list.numbers.size()), flags(list.flags.size()) {}

  std::vector<std::string> texts;
  std::vector<double> numbers;  // finite, not negative
  std::vector<bool> flags;
};

/// A whole number is written as one.
boost::json::value number_value(double number);
boost::json::object entry_object(const AnswerList& list, const AnswerEntry& entry);

/// What an entry takes of the bounds, as one figure to compare by.
std::size_t cost_of(const AnswerEntry& entry);

/// Counts entries against the bounds above.
class EntryBudget {
 public:
  /// False: it is too much.
  bool take(const AnswerEntry& entry);
  /// One that was taken is shown no more.
  void give_back(const AnswerEntry& entry);

 private:
  std::size_t entries_ = 0;
  std::size_t text_ = 0;
};

}  // namespace mpb
