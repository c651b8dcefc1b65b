#include "common/event_loop.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace mpb {
namespace {

constexpr int kEventsPerTurn = 256;

constexpr std::uint32_t slot_of(std::uint64_t data) {
  return static_cast<std::uint32_t>(data);
}
constexpr std::uint32_t generation_of(std::uint64_t data) {
  return static_cast<std::uint32_t>(data >> 32);
}

}  // namespace

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::runtime_error(system_error("epoll_create1").text);
}

epoll_event EventLoop::make_event(std::uint32_t slot, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = (std::uint64_t{slots_[slot].generation} << 32) | slot;
  return event;
}

Result<Watch> EventLoop::add(int fd, std::uint32_t events, EventHandler& handler) {
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot].handler = &handler;
  epoll_event event = make_event(slot, events);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const Error error = system_error("epoll_ctl");
    slots_[slot].handler = nullptr;
    free_slots_.push_back(slot);
    return error;
  }
  return Watch{slot};
}

Status EventLoop::modify(Watch watch, int fd, std::uint32_t events) {
  epoll_event event = make_event(watch.slot, events);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

void EventLoop::remove(Watch& watch, int fd) {
  if (!watch.active()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  forget(watch);
}

void EventLoop::forget(Watch& watch) {
  if (!watch.active()) return;
  Slot& slot = slots_[watch.slot];
  slot.handler = nullptr;
  ++slot.generation;
  free_slots_.push_back(watch.slot);
  watch = Watch{};
}

EventLoop::TimerId EventLoop::after(Duration delay, std::function<void()> action) {
  const TimerId id{Clock::now() + delay, next_timer_++};
  timers_.emplace(id, std::move(action));
  return id;
}

void EventLoop::cancel(const TimerId& id) {
  timers_.erase(id);
}

bool EventLoop::timer_is_due() const {
  return !timers_.empty() && timers_.begin()->first.first <= now_;
}

void EventLoop::run_timers() {
  while (timer_is_due()) {
    const auto timer = timers_.extract(timers_.begin());
    timer.mapped()();
  }
}

int EventLoop::wait_ms(Duration limit) const {
  if (skip_wait_) return 0;
  if (timers_.empty()) return static_cast<int>(limit.count());
  const auto until = std::chrono::ceil<Duration>(timers_.begin()->first.first - Clock::now());
  return static_cast<int>(std::clamp(until, Duration{0}, limit).count());
}

void EventLoop::turn(Duration limit) {
  std::array<epoll_event, kEventsPerTurn> events;  // NOLINT(*-member-init): the kernel fills it
  const int wait = wait_ms(limit);
  skip_wait_ = false;
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait);
  now_ = Clock::now();
  if (guarded_) {
    if (count < 0 && !timer_is_due()) return guard_.rest();  // interrupted, and nothing to do
    guard_.begin(now_);
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const Slot& slot = slots_[slot_of(event.data.u64)];
    if (slot.handler != nullptr && slot.generation == generation_of(event.data.u64)) {
      slot.handler->on_events(event.events);
    }
  }
  run_timers();
  for (std::size_t i = 0; i < turn_end_hooks_.size(); ++i) turn_end_hooks_[i]();
}

void EventLoop::run() {
  constexpr Duration kForever{60'000};
  stopped_ = false;
  guarded_ = true;
  while (!stopped_) turn(kForever);
  guarded_ = false;
  guard_.rest();
}

}  // namespace mpb
