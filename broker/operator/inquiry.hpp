// The answers of all workers to one question, and what the operator is told of them. The broker
// does not trust workers: what is passed on has the right types and bounds. Pure: no I/O, no clock.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "broker/dispatch/worker_table.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

class Inquiry {
 public:
  virtual ~Inquiry() = default;

  /// The worker was asked.
  void expect(Slot slot) { waiting_.try_emplace(slot); }
  [[nodiscard]] bool expects(Slot slot) const { return waiting_.contains(slot); }
  /// A worker whose answer does not come, or cannot be used.
  void give_up(Slot slot);
  void give_up_all();
  /// Of a worker that nothing is expected of (any more) it is ignored.
  void on_answer(Slot slot, const channel::Answer& piece);
  [[nodiscard]] bool complete() const { return waiting_.empty(); }

  /// For once it is complete: {"ok":true,"streams":[...]}, each with its worker's "slot", sorted by
  /// name, and the totals; and, if so, "missing":[slots that did not answer] and "truncated":true
  /// when there are more than fit the bounds. Of "kick": {"ok":true,"kicked":N}, or an error when
  /// it was nobody.
  [[nodiscard]] virtual boost::json::object report() const = 0;

 protected:
  [[nodiscard]] const std::set<Slot>& missing() const { return missing_; }
  void add_missing(boost::json::object& report) const;

 private:
  /// False: it cannot be read.
  virtual bool take(Slot slot, const channel::Answer& piece) = 0;
  /// What was taken counts for nothing.
  virtual void forget(Slot slot) = 0;

  std::map<Slot, std::size_t> waiting_;  // bytes of their answers so far
  std::set<Slot> missing_;
};

/// Whether it is answered with a list.
bool has_list(std::string_view question);
/// A question without a list is "kick"; `argument` is what was asked for.
std::unique_ptr<Inquiry> make_inquiry(std::string_view question, std::string argument);

}  // namespace mpb
