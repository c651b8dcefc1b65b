#include "common/io/event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace mpb {
namespace {

constexpr Duration kAtOnce{0};
constexpr Duration kLong{20'000};  // a turn that should end by itself long before
constexpr Duration kShort{30};     // a turn in which nothing should come

struct Recorder final : EventHandler {
  void on_events(std::uint32_t got) override {
    ++calls;
    events = got;
    if (action) action();
  }
  int calls = 0;
  std::uint32_t events = 0;
  std::function<void()> action;
};

UniqueFd make_event_fd(unsigned value) {
  return UniqueFd(::eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK));
}

Duration time_of(const std::function<void()>& action) {
  const TimePoint begin = Clock::now();
  action();
  return std::chrono::ceil<Duration>(Clock::now() - begin);
}

// --- descriptors ---------------------------------------------------------------------------------

TEST(EventLoop, TellsAReadyDescriptor) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd fd = make_event_fd(1);
  ASSERT_TRUE(loop.add(fd.get(), EPOLLIN, handler));
  loop.turn(kLong);
  EXPECT_EQ(handler.calls, 1);
  EXPECT_EQ(handler.events, EPOLLIN);
  loop.turn(kAtOnce);
  EXPECT_EQ(handler.calls, 2) << "level-triggered";
}

TEST(EventLoop, EdgeTriggeredTellsOnce) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd fd = make_event_fd(1);
  ASSERT_TRUE(loop.add(fd.get(), EPOLLIN | EPOLLET, handler));
  loop.turn(kLong);
  loop.turn(kAtOnce);
  EXPECT_EQ(handler.calls, 1);
}

TEST(EventLoop, ModifyChangesWhatIsTold) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd fd = make_event_fd(1);
  const auto watch = loop.add(fd.get(), EPOLLIN, handler);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(loop.modify(*watch, fd.get(), EPOLLOUT));
  loop.turn(kLong);
  EXPECT_EQ(handler.events, EPOLLOUT);
}

TEST(EventLoop, ADescriptorThatCannotBeWatchedIsAnError) {
  EventLoop loop;
  Recorder handler;
  const auto closed = loop.add(-1, EPOLLIN, handler);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, EBADF);
  const UniqueFd fd = make_event_fd(1);
  ASSERT_TRUE(loop.add(fd.get(), EPOLLIN, handler));
  const auto twice = loop.add(fd.get(), EPOLLIN, handler);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, EEXIST);
  loop.turn(kLong);
  EXPECT_EQ(handler.calls, 1) << "the failed registrations leave the good one alone";
}

TEST(EventLoop, AfterRemoveNothingIsTold) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd fd = make_event_fd(1);
  auto watch = loop.add(fd.get(), EPOLLIN, handler);
  ASSERT_TRUE(watch);
  loop.remove(*watch, fd.get());
  EXPECT_FALSE(watch->active());
  loop.remove(*watch, fd.get());
  loop.turn(kAtOnce);
  EXPECT_EQ(handler.calls, 0);
}

TEST(EventLoop, ASocketThatLivesOnElsewhereIsSilentAfterRemove) {
  EventLoop loop;
  Recorder handler;
  UniqueFd fd = make_event_fd(1);
  const UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  auto watch = loop.add(fd.get(), EPOLLIN, handler);
  ASSERT_TRUE(watch);
  loop.remove(*watch, fd.get());
  fd.reset();
  // A left-over epoll entry would end the wait at once.
  EXPECT_GE(time_of([&] { loop.turn(kShort); }), kShort - Duration{1});
  EXPECT_EQ(handler.calls, 0);
}

TEST(EventLoop, ForgetAndCloseIsEnoughForASoleDescriptor) {
  EventLoop loop;
  Recorder handler;
  UniqueFd fd = make_event_fd(1);
  auto watch = loop.add(fd.get(), EPOLLIN, handler);
  ASSERT_TRUE(watch);
  loop.forget(*watch);
  EXPECT_FALSE(watch->active());
  fd.reset();
  EXPECT_GE(time_of([&] { loop.turn(kShort); }), kShort - Duration{1});
  EXPECT_EQ(handler.calls, 0);
}

/// Two ready descriptors; whichever is told first removes the other by `leave`, closes it and
/// registers a newcomer, which takes over the slot (and the descriptor's number).
// NOLINTNEXTLINE(readability-function-size): each of gtest's macros is many statements
void expect_stale_events_dropped(const std::function<void(EventLoop&, Watch&, int)>& leave,
                                 unsigned newcomer_value) {
  EventLoop loop;
  std::array<UniqueFd, 2> fds{make_event_fd(1), make_event_fd(1)};
  std::array<Recorder, 2> handlers;
  std::array<Watch, 2> watches;
  Recorder newcomer;
  UniqueFd newcomer_fd;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto watch = loop.add(fds[i].get(), EPOLLIN, handlers[i]);
    ASSERT_TRUE(watch);
    watches[i] = *watch;
    handlers[i].action = [&, other = 1 - i] {
      if (newcomer_fd) return;
      const Watch left = watches[other];
      leave(loop, watches[other], fds[other].get());
      fds[other].reset();
      newcomer_fd = make_event_fd(newcomer_value);
      const auto added = loop.add(newcomer_fd.get(), EPOLLIN, newcomer);
      ASSERT_TRUE(added);
      ASSERT_EQ(added->slot, left.slot) << "the test is about a slot that is used again";
    };
  }
  loop.turn(kLong);
  EXPECT_EQ(handlers[0].calls + handlers[1].calls, 1);
  EXPECT_EQ(newcomer.calls, 0) << "it was told of its predecessor's event";
  loop.turn(kAtOnce);
  EXPECT_EQ(newcomer.calls, newcomer_value == 0 ? 0 : 1);
}

TEST(EventLoop, EventsOfARemovedDescriptorAreDroppedInTheSameTurn) {
  const auto remove = [](EventLoop& loop, Watch& watch, int fd) { loop.remove(watch, fd); };
  expect_stale_events_dropped(remove, 0);
  expect_stale_events_dropped(remove, 1);
}

TEST(EventLoop, EventsOfAForgottenDescriptorAreDroppedInTheSameTurn) {
  const auto forget = [](EventLoop& loop, Watch& watch, int) { loop.forget(watch); };
  expect_stale_events_dropped(forget, 0);
  expect_stale_events_dropped(forget, 1);
}

TEST(EventLoop, AHandlerMayAddManyDescriptors) {
  EventLoop loop;
  Recorder first;
  Recorder others;
  const UniqueFd fd = make_event_fd(1);
  std::vector<UniqueFd> fds;
  first.action = [&] {
    for (int i = 0; i < 100; ++i) {
      fds.push_back(make_event_fd(1));
      ASSERT_TRUE(loop.add(fds.back().get(), EPOLLIN | EPOLLET, others));
    }
  };
  ASSERT_TRUE(loop.add(fd.get(), EPOLLIN | EPOLLET, first));
  loop.turn(kLong);
  loop.turn(kAtOnce);
  EXPECT_EQ(others.calls, 100);
}

TEST(EventLoop, AnExclusiveRegistrationIsToldAndCanBeRenewed) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd fd = make_event_fd(1);
  for (int round = 1; round <= 2; ++round) {
    auto watch = loop.add(fd.get(), EPOLLIN | EPOLLEXCLUSIVE, handler);
    ASSERT_TRUE(watch);
    loop.turn(kLong);
    EXPECT_EQ(handler.calls, round);
    // epoll_ctl(2): what is exclusive cannot be modified.
    const Status modified = loop.modify(*watch, fd.get(), EPOLLIN);
    ASSERT_FALSE(modified);
    EXPECT_EQ(modified.error().code, EINVAL);
    loop.remove(*watch, fd.get());
  }
}

// --- timers --------------------------------------------------------------------------------------

TEST(EventLoop, TimersRunInTheOrderOfTheirTimes) {
  EventLoop loop;
  std::string order;
  loop.after(Duration{20}, [&] { order += 'c'; });
  loop.after(Duration{0}, [&] { order += 'a'; });
  loop.after(Duration{10}, [&] { order += 'b'; });
  while (order.size() < 3) loop.turn(kLong);
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, ATimerEndsTheWaitAndIsNeverEarly) {
  EventLoop loop;
  int calls = 0;
  loop.after(Duration{30}, [&] { ++calls; });
  const Duration took = time_of([&] {
    while (calls == 0) loop.turn(kLong);
  });
  EXPECT_GE(took, Duration{30});
  EXPECT_LT(took, kLong / 2);
  loop.turn(kAtOnce);
  EXPECT_EQ(calls, 1) << "a timer runs once";
}

TEST(EventLoop, ACancelledTimerDoesNotRun) {
  EventLoop loop;
  int calls = 0;
  const auto id = loop.after(Duration{0}, [&] { ++calls; });
  loop.cancel(id);
  loop.cancel(id);
  loop.cancel({});
  loop.turn(kAtOnce);
  EXPECT_EQ(calls, 0);
}

TEST(EventLoop, ATimerMayCancelItselfAndAnotherThatIsDueInTheSameTurn) {
  EventLoop loop;
  std::array<int, 2> calls{};
  std::array<EventLoop::TimerId, 2> ids;
  for (std::size_t i = 0; i < 2; ++i) {
    ids[i] = loop.after(Duration{0}, [&, i] {
      ++calls[i];
      loop.cancel(ids[i]);
      loop.cancel(ids[1 - i]);
    });
  }
  ::usleep(1000);
  loop.turn(kAtOnce);
  EXPECT_EQ(calls[0] + calls[1], 1);
}

TEST(EventLoop, ATimerStartedByATimerWaitsForTheNextTurn) {
  EventLoop loop;
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    loop.after(Duration{0}, again);
  };
  loop.after(Duration{0}, again);
  ::usleep(1000);
  loop.turn(kAtOnce);
  EXPECT_EQ(calls, 1) << "a timer that starts itself must not keep the turn from ending";
  ::usleep(1000);
  loop.turn(kAtOnce);
  EXPECT_EQ(calls, 2);
}

TEST(EventLoop, NowIsTheBeginningOfTheTurn) {
  EventLoop loop;
  const TimePoint before = Clock::now();
  loop.after(Duration{5}, [] { ::usleep(2000); });
  TimePoint in_hook;
  loop.at_turn_end([&] { in_hook = loop.now(); });
  loop.turn(kLong);
  EXPECT_GE(loop.now(), before + Duration{5});
  EXPECT_EQ(in_hook, loop.now());
}

// --- turns ---------------------------------------------------------------------------------------

TEST(EventLoop, HooksRunInOrderAfterEventsAndTimers) {
  EventLoop loop;
  std::string order;
  loop.at_turn_end([&] { order += '1'; });
  loop.at_turn_end([&] { order += '2'; });
  loop.after(Duration{0}, [&] { order += 't'; });
  Recorder handler;
  handler.action = [&] { order += 'e'; };
  const UniqueFd fd = make_event_fd(1);
  ASSERT_TRUE(loop.add(fd.get(), EPOLLIN | EPOLLET, handler));
  ::usleep(1000);
  loop.turn(kAtOnce);
  EXPECT_EQ(order, "et12");
  loop.turn(kAtOnce);
  EXPECT_EQ(order, "et1212");
}

TEST(EventLoop, AHookMayAddHooks) {
  struct {
    EventLoop loop;
    int added = 0;
  } t;
  // Small enough to lie inside its std::function: the hook looks at its own capture after it has
  // added others, so it must not have moved.
  t.loop.at_turn_end([&t, armed = true]() mutable {
    if (!armed) return;
    for (int i = 0; i < 64; ++i) t.loop.at_turn_end([&t] { ++t.added; });
    armed = false;
  });
  t.loop.turn(kAtOnce);
  t.loop.turn(kAtOnce);
  EXPECT_EQ(t.added, 128) << "once a turn, from the turn on in which they were added";
}

TEST(EventLoop, WhoIsPutFirstDoesNotWaitForAllOthers) {
  constexpr int kMany = 100;
  EventLoop loop;
  std::vector<UniqueFd> fds;
  std::vector<Recorder> others(kMany);
  const UniqueFd first_fd = make_event_fd(0);
  Recorder first;
  int handled = 0;
  int handled_before_first = 0;
  first.action = [&] {
    handled_before_first = handled;
    std::uint64_t value = 0;
    ASSERT_EQ(::read(first_fd.get(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
  };
  for (Recorder& other : others) {
    const int fd = fds.emplace_back(make_event_fd(1)).get();
    ASSERT_TRUE(loop.add(fd, EPOLLIN, other));
    other.action = [&handled, &first_fd, fd] {
      std::uint64_t value = 1;
      if (handled++ == 0) {
        ASSERT_EQ(::write(first_fd.get(), &value, sizeof value), 8);
      }
      ASSERT_EQ(::read(fd, &value, sizeof value), static_cast<ssize_t>(sizeof value));
      const TimePoint until = Clock::now() + EventLoop::kLongestTurn / 10;
      while (Clock::now() < until) continue;
    };
  }
  auto watch = loop.add(first_fd.get(), EPOLLIN, first);
  ASSERT_TRUE(watch);
  loop.put_first(*watch, first_fd.get());
  while (handled < kMany) loop.turn(kLong);
  EXPECT_EQ(first.calls, 1);
  EXPECT_LT(handled_before_first, kMany / 2);
  for (const Recorder& other : others) EXPECT_EQ(other.calls, 1);

  loop.remove(*watch, first_fd.get());
  EXPECT_FALSE(watch->active());
}

TEST(EventLoop, SkipWaitHoldsForOneTurn) {
  EventLoop loop;
  loop.skip_wait();
  EXPECT_LT(time_of([&] { loop.turn(kLong); }), kLong / 2);
  EXPECT_GE(time_of([&] { loop.turn(kShort); }), kShort - Duration{1});
}

TEST(EventLoop, RunEndsAtTheTurnThatStops) {
  EventLoop loop;
  int hooks = 0;
  loop.at_turn_end([&] { ++hooks; });
  loop.after(Duration{0}, [&] { loop.stop(); });
  loop.run();
  EXPECT_GE(hooks, 1);
}

// --- the guard -----------------------------------------------------------------------------------

TEST(EventLoop, ACallThatIsStuckInATurnIsInterrupted) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd ready = make_event_fd(1);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);  // blocking, and nothing comes
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  std::vector<int> errors;
  handler.action = [&] {
    char byte = 0;
    // Also when it is made again in the same turn.
    for (int i = 0; i < 3; ++i) errors.push_back(::read(reader.get(), &byte, 1) < 0 ? errno : 0);
    if (handler.calls == 2) loop.stop();
  };
  ASSERT_TRUE(loop.add(ready.get(), EPOLLIN, handler));
  loop.run();
  EXPECT_EQ(errors, std::vector<int>(6, EINTR)) << "in the next turn, too";
}

TEST(EventLoop, ASleepIsInterruptedOnceAndThatIsNoTurn) {
  EventLoop loop;
  Recorder handler;
  const UniqueFd ready = make_event_fd(1);
  handler.action = [&ready] {
    std::uint64_t count = 0;
    ASSERT_EQ(::read(ready.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  };
  ASSERT_TRUE(loop.add(ready.get(), EPOLLIN, handler));
  int turns = 0;
  loop.at_turn_end([&turns] { ++turns; });
  rusage before{};
  ::getrusage(RUSAGE_THREAD, &before);
  loop.after(3 * TurnGuard::kLimit, [&loop] { loop.stop(); });
  loop.run();
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &after);
  EXPECT_EQ(turns, 2) << "that of the event, that of the timer";
  // It slept until the event, the guard, the timer; again and again every kAgain would be 24 times.
  EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 12);
}

}  // namespace
}  // namespace mpb
