// Deadlines of many objects that all wait equally long: a list in the order of their deadlines.
// Restarting, stopping and finding the next are O(1), and an object that waits costs no timer.
#pragma once

#include <algorithm>
#include <iterator>
#include <optional>

#include <boost/intrusive/list.hpp>

#include "common/event_loop.hpp"

namespace mpb {

/// Base of what can wait; leaves its list by itself when destroyed. One list at a time.
class Deadline : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  [[nodiscard]] TimePoint when() const { return when_; }

 private:
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
    for (Deadline& item : list_) item.when_ = std::min(item.when(), latest);
  }

  /// `item` expires `wait` from `now`, whatever it waited for before. O(1) when `now` is not before
  /// that of the other objects.
  void restart(T& item, TimePoint now) {
    stop(item);
    if (wait_.count() == 0) return;
    item.when_ = now + wait_;
    auto place = list_.end();
    while (place != list_.begin() && std::prev(place)->when() > item.when_) --place;
    list_.insert(place, item);
  }
  static void stop(T& item) {
    if (item.is_linked()) item.unlink();
  }

  /// Calls `expire(T&)` for each object whose time has come; it is off the list by then.
  template <class F>
  void expire(TimePoint now, F&& expire) {
    while (!list_.empty() && list_.front().when() <= now) {
      T& item = static_cast<T&>(list_.front());
      list_.pop_front();
      expire(item);
    }
  }
  /// The next to expire; null: none.
  [[nodiscard]] T* first() { return list_.empty() ? nullptr : &static_cast<T&>(list_.front()); }
  /// Calls `visit(T&)` for each, which may take that one off the list.
  template <class F>
  void for_each(F&& visit) {
    for (auto item = list_.begin(); item != list_.end();) visit(static_cast<T&>(*item++));
  }
  [[nodiscard]] std::optional<TimePoint> next() const {
    if (list_.empty()) return std::nullopt;
    return list_.front().when_;
  }

 private:
  Duration wait_;
  boost::intrusive::list<Deadline, boost::intrusive::constant_time_size<false>> list_;
};

}  // namespace mpb
