// One end of a broker-worker channel: a SOCK_SEQPACKET socket (unix(7)) that carries whole
// datagrams, each with at most one descriptor (SCM_RIGHTS). Never blocks; what the peer does not
// read now waits in a bounded queue. The peer is not trusted: whatever it sends costs a bounded
// part of a turn, and no descriptor of its is left or waited for.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/foreign_descriptor.hpp"

namespace mpb {

/// What came in: valid during the callback; take `fd` by moving it, else it is closed. Who takes it
/// ends it with close_foreign() or close_client().
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
  /// The peer is gone (kUnavailable) or broke the rules of datagrams: nothing more will come or be
  /// sent.
  virtual void on_channel_broken(const Error& why) = 0;

 protected:
  ~ChannelHandler() = default;
};

/// When a datagram may go out.
enum class Order : std::uint8_t {
  kKept,  // behind all that was sent before it
  kFree,  // without a descriptor, it also passes those with one that the kernel does not take now
};

/// What became of a datagram that is not to be queued.
enum class Offered : std::uint8_t {
  kSent,
  kLater,  // a turn of the loop ends when it may be tried again
  kNever,  // the peer is gone
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
  [[nodiscard]] int descriptor() const { return socket_.get(); }

  /// Sends now, or queues a copy, with a duplicate of `fd` (-1: none), which stays the caller's.
  /// An error means that the datagram will never arrive: the queue is full, no descriptor was left
  /// for the duplicate, or the peer is gone.
  Status send(std::string_view datagram, int fd = -1, Order order = Order::kKept);
  /// Sends now, behind all that was sent before, or not at all.
  Offered offer(std::string_view datagram, int fd = -1);
  /// The peer's process has ended: what it had sent by now is handled in this turn and the next
  /// ones, up to the end, which on_channel_broken tells of. Others who still hold the peer's socket
  /// can send no more.
  void finish();

  [[nodiscard]] std::size_t queued() const { return queue_.size() + free_.size(); }
  /// The kernel takes no more descriptors in flight for now, which is not the peer's fault.
  [[nodiscard]] bool waits_for_quota() const { return quota_exceeded_; }
  /// What is sent with Order::kFree now would wait for the peer.
  [[nodiscard]] bool backed_up() const {
    return !free_.empty() || (!queue_.empty() && !quota_exceeded_);
  }
  /// A datagram without a descriptor waits whose order is kept.
  [[nodiscard]] bool keeps_order() const;
  /// The most datagrams that ever waited.
  [[nodiscard]] std::size_t queue_high_water() const { return high_water_; }

 private:
  struct Queued {
    std::string bytes;
    UniqueFd fd;
  };

  void on_events(std::uint32_t events) override;
  void receive();
  /// Handles one batch, and counts its bytes; false when there is no more for now or the channel is
  /// closed.
  bool receive_batch(std::size_t& bytes);
  [[nodiscard]] bool may_go_now(Order order) const;
  /// Of an error of sendmsg(2) that is soon over: sees to it that flush() comes.
  void wait_for(int error, bool with_descriptor);
  void flush();
  /// Sends one that has waited; false: no more can be sent for now.
  bool flush_one(std::string_view bytes, int fd);
  void want_writable(bool wanted);
  void retry_soon();
  void fail(const Error& why);

  EventLoop& loop_;
  UniqueFd socket_;
  ChannelHandler& handler_;
  std::size_t max_queued_;
  std::deque<Queued> queue_;
  std::deque<std::string> free_;  // those of Order::kFree
  bool quota_exceeded_ = false;   // the first of queue_ waits for it
  std::size_t high_water_ = 0;
  Watch watch_;
  EventLoop::TimerId retry_{};
  bool retry_armed_ = false;
  bool writable_wanted_ = false;
  bool open_ = false;
};

/// A connected pair of channel sockets, both close-on-exec and non-blocking. Both have a name, by
/// which the other end tells an empty datagram from the end.
Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair();

}  // namespace mpb
