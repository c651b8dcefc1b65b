// One client as the engine knows it; load clients add what theirs says.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/io/deadline_list.hpp"

namespace mpb::load {

struct Connection : Deadline {
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  std::uint64_t number = 0;
  TimePoint begun;  // times count from here: the start, with a rate the intended one
  int fd = -1;
  bool ended = false;  // it is destroyed at the end of the turn: events may still name it

 private:
  friend class Engine;
  std::uint32_t watched_ = 0;  // epoll events; 0: not in the set
  std::size_t place_ = 0;      // among those that live
};

}  // namespace mpb::load
