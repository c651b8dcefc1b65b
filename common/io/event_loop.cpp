#include "common/io/event_loop.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mpb {
namespace {

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
  if (std::exchange(slot.first, false)) {
    const auto data = make_event(watch.slot, 0).data.u64;
    const auto place = std::find(first_data_.begin(), first_data_.end(), data);
    first_.erase(first_.begin() + (place - first_data_.begin()));
    first_data_.erase(place);
  }
  slot.handler = nullptr;
  ++slot.generation;
  free_slots_.push_back(watch.slot);
  watch = Watch{};
}

void EventLoop::put_first(const Watch& watch, int fd) {
  first_ready_.reserve(first_.size() + 1);  // there may be no memory when it is needed
  slots_[watch.slot].first = true;
  first_.push_back({fd, POLLIN, 0});
  first_data_.push_back(make_event(watch.slot, 0).data.u64);
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

void EventLoop::handle(const epoll_event& event) {
  const Slot& slot = slots_[slot_of(event.data.u64)];
  if (slot.handler != nullptr && slot.generation == generation_of(event.data.u64)) {
    slot.handler->on_events(event.events);
  }
}

void EventLoop::fetch_events(Duration limit) {
  const int wait = wait_ms(limit);
  skip_wait_ = false;
  next_event_ = 0;
  event_count_ = ::epoll_wait(epoll_.get(), events_.data(), kEventsPerTurn, wait);
  now_ = Clock::now();
}

void EventLoop::handle_events() {
  constexpr int kBetweenLooks = 4;  // at the clock
  for (int handled = 1; next_event_ < event_count_; ++handled) {
    handle(events_[static_cast<std::size_t>(next_event_++)]);
    if (handled % kBetweenLooks == 0 && Clock::now() - now_ > kLongestTurn) return;
  }
}

void EventLoop::look_at_first() {
  if (first_.empty() || ::poll(first_.data(), first_.size(), 0) <= 0) return;
  first_ready_.clear();  // a list of its own: handlers may end some of them
  for (std::size_t i = 0; i < first_.size(); ++i) {
    if (first_[i].revents == 0) continue;
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(first_[i].revents);  // poll(2)'s values are epoll's
    event.data.u64 = first_data_[i];
    first_ready_.push_back(event);
  }
  for (std::size_t i = 0; i < first_ready_.size(); ++i) handle(first_ready_[i]);
}

void EventLoop::turn(Duration limit) {
  const bool left_over = next_event_ < event_count_;
  if (left_over) {
    now_ = Clock::now();
  } else {
    fetch_events(limit);
  }
  if (guarded_) {
    if (event_count_ < 0 && !timer_is_due()) return guard_.rest();  // interrupted, nothing to do
    guard_.begin(now_);
  }
  if (left_over) look_at_first();
  handle_events();
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
