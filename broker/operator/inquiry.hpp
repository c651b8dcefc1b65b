// The answers of all workers to one question, and what the operator is told of them. The broker
// does not trust workers: what is passed on has the right names, types and bounds. Pure: no I/O,
// no clock.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "broker/dispatch/worker_table.hpp"
#include "broker/operator/worker_answer.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

class Inquiry {
 public:
  explicit Inquiry(std::string_view question)
      : list_(find_answer_list(question)), totals_(list_ != nullptr ? list_->totals.size() : 0) {}

  /// The worker was asked.
  void expect(Slot slot) { waiting_.try_emplace(slot, list_); }
  [[nodiscard]] bool expects(Slot slot) const { return waiting_.contains(slot); }
  /// A worker whose answer does not come, or cannot be used.
  void give_up(Slot slot);
  void give_up_all();
  /// Of a worker that nothing is expected of (any more) it is ignored.
  void on_answer(Slot slot, const channel::Answer& piece);
  [[nodiscard]] bool complete() const { return waiting_.empty(); }

  /// For once it is complete, and one of them once. Of a question with a list:
  /// {"ok":true,"streams":[...]}, each with its worker's "slot", sorted by name, and the list's
  /// totals; and, if so, "missing":[slots that did not answer] and "truncated":true when there are
  /// more than fit the budget.
  boost::json::object list_report();
  /// {"ok":true,"kicked":N}; an error when it was nobody. `stream` is what was asked for.
  [[nodiscard]] boost::json::object kick_report(std::string_view stream) const;

 private:
  struct Share {
    std::vector<AnswerEntry> entries;
    std::size_t cost = 0;
  };

  void take(Slot slot, AnswerContent content);
  /// Where all are more than fit, those of the worker that has most are left out.
  void keep(Slot slot, std::vector<AnswerEntry>& entries);
  /// Leaves out an entry of a worker that has more than `cost`; false: none has.
  bool make_room(std::size_t cost);
  void add_missing(boost::json::object& report) const;

  const AnswerList* list_;                // null: the question has none
  std::map<Slot, WorkerAnswer> waiting_;  // their answers so far
  std::set<Slot> missing_;
  std::map<Slot, Share> entries_;
  std::vector<double> totals_;
  EntryBudget budget_;
  std::uint64_t kicked_ = 0;
  bool truncated_ = false;
};

}  // namespace mpb
