// Deadlines of many objects that all wait equally long, in the order of their deadlines. Finding
// the next is O(1), and so is restarting in the order of time; an object that waits costs no timer.
#pragma once

#include <algorithm>
#include <optional>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include "common/io/event_loop.hpp"

namespace mpb {

namespace detail {

struct InLine;
struct Late;
using LineHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<InLine>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
using LateHook =
    boost::intrusive::set_base_hook<boost::intrusive::tag<Late>,
                                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

}  // namespace detail

/// Base of what can wait; leaves its list by itself when destroyed. One list at a time.
class Deadline : public detail::LineHook, public detail::LateHook {
 public:
  [[nodiscard]] TimePoint when() const { return when_; }
  [[nodiscard]] bool is_linked() const { return LineHook::is_linked() || LateHook::is_linked(); }
  /// Takes it off its list, if it is on one.
  void stop() {
    if (LineHook::is_linked()) LineHook::unlink();
    if (LateHook::is_linked()) LateHook::unlink();
  }

 private:
  using LineHook = detail::LineHook;
  using LateHook = detail::LateHook;
  template <class T>
  friend class DeadlineList;
  TimePoint when_{};
};

/// `T` derives from Deadline. The list owns nothing.
template <class T>
class DeadlineList {
 public:
  /// 0 means that nothing ever expires.
  explicit DeadlineList(Duration wait) : wait_(wait) {}
  /// A longer wait counts from the next restart of each object on; with a shorter one, those that
  /// wait already expire at the latest when it has passed. O(n).
  void set_wait(Duration wait) {
    const bool shorter = wait.count() != 0 && wait < wait_;
    wait_ = wait;
    if (!shorter) return;
    const TimePoint latest = Clock::now() + wait;
    for_each([latest](Deadline& item) { item.when_ = std::min(item.when(), latest); });
  }

  /// `item` expires `wait` from `now`, whatever it waited for before. O(1) when `now` is not before
  /// that of the other objects, else O(log n).
  void restart(T& item, TimePoint now) {
    stop(item);
    if (wait_.count() == 0) return;
    item.when_ = now + wait_;
    if (line_.empty() || line_.back().when() <= item.when_) {
      line_.push_back(item);
    } else {
      late_.insert(item);
    }
  }
  static void stop(T& item) { item.Deadline::stop(); }

  /// Calls `expire(T&)` for each object whose time has come; it is off the list by then.
  template <class F>
  void expire(TimePoint now, F&& expire) {
    while (T* item = first()) {
      if (item->when() > now) return;
      stop(*item);
      expire(*item);
    }
  }
  /// The next to expire; null: none.
  [[nodiscard]] T* first() {
    Deadline* next = line_.empty() ? nullptr : &line_.front();
    if (!late_.empty() && (next == nullptr || late_.begin()->when() < next->when())) {
      next = &*late_.begin();
    }
    return static_cast<T*>(next);
  }
  /// Calls `visit(T&)` for each, which may take that one off the list.
  template <class F>
  void for_each(F&& visit) {
    for (auto item = line_.begin(); item != line_.end();) visit(static_cast<T&>(*item++));
    for (auto item = late_.begin(); item != late_.end();) visit(static_cast<T&>(*item++));
  }
  [[nodiscard]] std::optional<TimePoint> next() const {
    std::optional<TimePoint> next;
    if (!line_.empty()) next = line_.front().when();
    if (!late_.empty()) next = std::min(next.value_or(TimePoint::max()), late_.begin()->when());
    return next;
  }

 private:
  struct Sooner {
    bool operator()(const Deadline& a, const Deadline& b) const { return a.when() < b.when(); }
  };
  using Line = boost::intrusive::list<Deadline, boost::intrusive::base_hook<detail::LineHook>,
                                      boost::intrusive::constant_time_size<false>>;
  // A client that waited for something else has a time limit that began long ago.
  using Latecomers =
      boost::intrusive::multiset<Deadline, boost::intrusive::base_hook<detail::LateHook>,
                                 boost::intrusive::compare<Sooner>,
                                 boost::intrusive::constant_time_size<false>>;

  Duration wait_;
  Line line_;  // restarted in the order of time
  Latecomers late_;
};

}  // namespace mpb
