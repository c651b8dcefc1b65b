// One end of a broker-worker channel: a SOCK_SEQPACKET socket (unix(7)) that carries whole
// datagrams, each with at most one descriptor (SCM_RIGHTS). Never blocks; what the peer does not
// read now waits in a bounded queue.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace mpb {

/// What came in: valid during the callback; take `fd` by moving it, else it is closed. Who takes it
/// calls dont_linger() before a close(2) that may be the last.
struct Datagram {
  std::string_view bytes;
  UniqueFd fd;
  /// A descriptor was sent along but this process had no room for it (RLIMIT_NOFILE).
  bool descriptor_lost = false;
};

/// The callbacks may call Channel::close, but must not destroy the channel.
class ChannelHandler {
 public:
  virtual void on_datagram(Datagram& datagram) = 0;
  /// The peer is gone or broke the rules of datagrams: nothing more will come or be sent.
  virtual void on_channel_broken(const Error& why) = 0;

 protected:
  ~ChannelHandler() = default;
};

class Channel final : private EventHandler {
 public:
  /// `max_queued`: how many datagrams may wait for the peer before send() gives a kLimit error.
  Channel(EventLoop& loop, UniqueFd socket, ChannelHandler& handler, std::size_t max_queued);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { close(); }

  /// Begins to receive.
  Status open();
  void close();
  [[nodiscard]] bool is_open() const { return open_; }

  /// Sends now, or queues a copy, with a duplicate of `fd` (-1: none), which stays the caller's.
  /// An error means that the datagram will never arrive: the queue is full, no descriptor was left
  /// for the duplicate, or the peer is gone.
  Status send(std::string_view datagram, int fd = -1);
  /// Handles everything that has come, up to the end: the peer's process has ended.
  void receive_rest();

  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  /// The most datagrams that ever waited.
  [[nodiscard]] std::size_t queue_high_water() const { return high_water_; }

 private:
  struct Queued {
    std::string bytes;
    UniqueFd fd;
  };

  void on_events(std::uint32_t events) override;
  void receive();
  /// Handles one batch; false when there is no more for now or the channel is closed.
  bool receive_batch();
  void flush();
  void want_writable(bool wanted);
  void retry_soon();
  void fail(const Error& why);

  EventLoop& loop_;
  UniqueFd socket_;
  ChannelHandler& handler_;
  std::size_t max_queued_;
  std::deque<Queued> queue_;
  std::size_t high_water_ = 0;
  Watch watch_;
  EventLoop::TimerId retry_{};
  bool retry_armed_ = false;
  bool writable_wanted_ = false;
  bool open_ = false;
};

/// Switches SO_LINGER off, which a peer may have set on a socket it passed on: the last close(2)
/// would wait for a client that does not read.
void dont_linger(int fd);

/// A connected pair of channel sockets, both close-on-exec and non-blocking.
Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair();

}  // namespace mpb
