// Waits for events of an epoll set to the nanosecond; epoll_wait(2) knows milliseconds only.
#pragma once

#include <sys/epoll.h>

#include <span>

#include "common/io/event_loop.hpp"

namespace mpb::load {

/// Waits until there are events or `due` has come; TimePoint::max(): without a limit. Returns how
/// many of `events` are filled, or -1 and errno.
int wait_until(int epoll, std::span<epoll_event> events, TimePoint due);

}  // namespace mpb::load
