// A request of the operator's to workers, and what they have answered. Pure: no I/O, no clock.
#pragma once

#include <cstddef>
#include <map>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "proto/channel/message.hpp"

namespace mpb {

class OperatorAsk {
 public:
  /// It was sent to this worker.
  void expect(WorkerId worker) { waiting_.emplace(worker, Loss::kTimeout); }
  /// Of a worker that nothing is expected of (any more) it is ignored.
  void answer(WorkerId worker, const channel::Content& reply);
  void give_up(WorkerId worker, Loss why);
  [[nodiscard]] bool complete() const { return waiting_.empty(); }

  /// {"ok":true,"answers":[{"slot":0,"generation":1,"text":...}]}, and, if so,
  /// "missing":[{"slot":1,"generation":1,"why":...}] and "truncated":true when the answers were
  /// longer than what an operator is shown. Those that are waited for still are missing.
  [[nodiscard]] boost::json::object report() const;
  /// Of a letter that wants no answer: {"ok":true,"sent":N} and, if so, "missing" as above, of
  /// those that did not get it. Nobody got it: {"ok":false,"error":why}.
  [[nodiscard]] boost::json::object report_sent() const;

 private:
  std::map<WorkerId, Loss> waiting_;
  std::map<WorkerId, Loss> missing_;
  std::map<WorkerId, std::string> answers_;
  std::size_t bytes_ = 0;  // of answers_
  bool truncated_ = false;
};

}  // namespace mpb
