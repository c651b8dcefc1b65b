// While no worker accepts: takes the clients that come from the listening sockets and closes them
// at once, so that they try elsewhere or later instead of waiting in a backlog.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/io/event_loop.hpp"

namespace mpb {

class TurnAway {
 public:
  explicit TurnAway(EventLoop& loop);
  TurnAway(const TurnAway&) = delete;
  TurnAway& operator=(const TurnAway&) = delete;
  ~TurnAway();

  /// `sockets` listen, and stay open until end(), which comes before they are closed or replaced.
  void begin(const std::vector<int>& sockets);
  void end();

  /// Clients so far.
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  class Door;

  EventLoop& loop_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::uint64_t count_ = 0;
};

}  // namespace mpb
