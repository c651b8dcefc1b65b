// A listening socket whose place another has taken: nobody new comes there, but clients may wait in
// its queue, or be in the midst of TCP's handshake with it.
#pragma once

#include <chrono>

#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class ListenerRest {
 public:
  static constexpr std::chrono::seconds kQuiet{3};     // nobody waited for so long: nobody will
  static constexpr std::chrono::seconds kLongest{60};  // whoever waits then is reset

  ListenerRest(UniqueFd socket, TimePoint now)
      : socket_(std::move(socket)), made_(now), quiet_since_(now) {}
  ListenerRest(const ListenerRest&) = delete;
  ListenerRest& operator=(const ListenerRest&) = delete;
  /// Shuts it down, so that it takes nobody in for others that share it, either.
  ~ListenerRest();

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  /// To be asked every now and then, while others accept from it.
  bool is_over(TimePoint now);

 private:
  UniqueFd socket_;
  TimePoint made_;
  TimePoint quiet_since_;
};

}  // namespace mpb
