// A bare epoll server of the control protocol: the body of both floors' workers. FloorWorker alone
// answers every client where it was accepted; RelayWorker (floor_relay.cpp) hands clients over.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/floors/control_session.hpp"
#include "bench/floors/fd_channel.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb::bench {

class FloorWorker {
 public:
  /// `listener` is shared with the other workers; -1: this one accepts nobody.
  FloorWorker(int slot, int listener);
  FloorWorker(const FloorWorker&) = delete;
  FloorWorker& operator=(const FloorWorker&) = delete;
  virtual ~FloorWorker() = default;

  [[noreturn]] void run();

 protected:
  /// The slot that shall serve the client which has just sent a C.
  [[nodiscard]] virtual int owner(const ControlSession&) const { return slot(); }
  /// Takes `client`, which is in no epoll set any more, to another worker.
  virtual void hand_over(int target, const ControlSession&, std::string_view prefix,
                         UniqueFd client);
  /// An event on a descriptor that is neither a client nor the listener; false: it is none of ours.
  virtual bool on_other_event(int, std::uint32_t) { return false; }

  /// Serves a client whose first bytes are `prefix`.
  void adopt(UniqueFd client, std::uint8_t hops, std::string_view prefix);

  [[nodiscard]] int slot() const { return self_.slot; }
  [[nodiscard]] int epoll() const { return epoll_.get(); }

 private:
  struct Client {
    ControlSession session;
    bool watched = false;  // in the epoll set
  };
  enum class Fate { kServed, kClosed, kMoved };

  void accept_clients();
  void on_client(int fd, std::uint32_t events);
  Fate read_once(int fd);
  Fate serve(int fd, std::string_view bytes);
  Fate move(int fd, int target, std::string_view rest);
  bool flush(int fd);
  Fate close_client(int fd);
  void watch(int fd);

  ServedBy self_;
  int listener_;
  UniqueFd epoll_;
  std::vector<Client> clients_;  // by descriptor
  Replies replies_;
  char buffer_[kReadBytes];
};

}  // namespace mpb::bench
