// What a zygote was asked for and has not answered. Pure: the caller brings the clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/error.hpp"
#include "common/io/event_loop.hpp"
#include "common/process/newborns.hpp"

namespace mpb {

/// Gets the pid of a worker that was forked and that nobody has claimed; an error: there is none,
/// and it is to be started otherwise.
using ForkDone = std::function<void(Result<pid_t>)>;

class ForkRequests {
 public:
  /// A zygote that owes answers and gave none for so long is hung.
  static constexpr Duration kLimit{3'000};
  /// So many may be without an answer: as many as there are workers at most.
  static constexpr std::size_t kMost = 1'000;

  [[nodiscard]] bool full() const { return open_.size() >= kMost; }
  [[nodiscard]] bool empty() const { return open_.empty(); }
  /// Its number. Answers come in the order of the requests.
  std::uint64_t add(TimePoint now, ForkDone done);
  /// What is to be told of its answer; null: it is not that of the oldest request.
  ForkDone take(std::uint64_t number, TimePoint now);
  /// All that wait.
  std::vector<ForkDone> take_all();
  /// When an answer is overdue; nothing: none is owed.
  [[nodiscard]] std::optional<TimePoint> due() const;

 private:
  struct Request {
    TimePoint asked;
    ForkDone done;
    AwaitedNewborn awaited{};
    Request(TimePoint when, ForkDone then) : asked(when), done(std::move(then)) {}
  };
  std::map<std::uint64_t, Request> open_;
  std::uint64_t last_ = 0;
  TimePoint answered_{};  // the last time
};

}  // namespace mpb
