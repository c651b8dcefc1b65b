// One end of a SOCK_SEQPACKET socketpair that carries clients: one descriptor a message
// (SCM_RIGHTS, unix(7)), with the bytes that were read from it so far. No acks, no credits.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "bench/floors/control_session.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb::bench {

inline constexpr std::size_t kReadBytes = 4096;
/// What one read brought, behind a header that an earlier read may have begun.
inline constexpr std::size_t kMaxPrefix = kReadBytes + kHeaderBytes;

struct HandoffHeader {
  std::uint32_t target;  // the slot that shall serve the client
  std::uint32_t hops;    // how often it was moved, this time included
};

struct Received {
  HandoffHeader header{};
  UniqueFd client;
  std::string_view prefix;  // valid until the channel's next receive()
};

/// Ends the program on what a floor does not survive: a broken channel.
class FdChannel {
 public:
  /// Registers `socket` with `epoll` under its own number.
  FdChannel(int epoll, UniqueFd socket);

  /// Passes `client` on and closes it; waits in a queue when the kernel's is full.
  void send(const HandoffHeader& header, std::string_view prefix, UniqueFd client);
  /// False when nothing is there.
  bool receive(Received& received);
  /// EPOLLOUT: sends what waits.
  void on_writable();

  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  struct Waiting {
    HandoffHeader header;
    std::string prefix;
    UniqueFd client;
  };

  bool try_send(const HandoffHeader& header, std::string_view prefix, int client);
  void watch(std::uint32_t events, int operation);

  int epoll_;
  UniqueFd socket_;
  std::deque<Waiting> queue_;
  char buffer_[kMaxPrefix];
};

}  // namespace mpb::bench
