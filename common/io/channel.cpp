#include "common/io/channel.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>

#include "common/io/descriptor_passing.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::size_t kBatch = 16;  // datagrams a recvmmsg(2) call takes
constexpr int kBatchesPerTurn = 8;  // then the other descriptors of the loop have their turn
constexpr std::size_t kBytesPerTurn = 1 << 20;  // the same, of long datagrams
constexpr int kDiscardedAtOnce = 64;            // datagrams of a channel that is closed
constexpr Duration kInFlightRetry{5};           // ETOOMANYREFS: no event tells when it is over
constexpr int kSocketBuffer = 1 << 20;          // bytes; room for bursts before the queue is needed

/// Where every channel of the process receives: one thread, one batch at a time. One byte more than
/// the longest datagram, so that a longer one shows as MSG_TRUNC.
struct ReceiveArena {
  // Room for all that a datagram can carry: the kernel would close what does not fit in our name,
  // and wait for it if its SO_LINGER says so.
  struct alignas(cmsghdr) Control {
    std::array<char, CMSG_SPACE(kMostPassed * sizeof(int))> bytes;
    /// Where closing waits for others, as few as possible come in.
    [[nodiscard]] std::size_t room() const {
      return closing_is_held_up() ? CMSG_SPACE(sizeof(int)) : bytes.size();
    }
  };
  using Buffer = std::array<char, channel::kMaxDatagram + 1>;

  std::unique_ptr<std::array<Buffer, kBatch>> buffers{new std::array<Buffer, kBatch>};
  std::array<Control, kBatch> controls{};
  std::array<sockaddr_un, kBatch> names{};
  std::array<iovec, kBatch> vectors{};
  std::array<mmsghdr, kBatch> headers{};

  void prepare() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {(*buffers)[i].data(), (*buffers)[i].size()};
      headers[i] = {};
      headers[i].msg_hdr.msg_iov = &vectors[i];
      headers[i].msg_hdr.msg_iovlen = 1;
      headers[i].msg_hdr.msg_control = controls[i].bytes.data();
      headers[i].msg_hdr.msg_controllen = controls[i].room();
      headers[i].msg_hdr.msg_name = &names[i];
      headers[i].msg_hdr.msg_namelen = sizeof(sa_family_t);
    }
  }
};

ReceiveArena& arena() {
  static ReceiveArena instance;
  return instance;
}

/// Takes the descriptors of `header`; more than one is a violation, and all are closed then.
struct TakenDescriptors {
  UniqueFd first;
  std::size_t count = 0;
};

TakenDescriptors take_descriptors(msghdr& header) {
  TakenDescriptors taken;
  take_passed(header, [&taken](UniqueFd fd) {
    if (taken.count++ == 0) {
      taken.first = std::move(fd);
    } else {
      close_foreign(std::move(fd));
    }
  });
  if (taken.count > 1) close_foreign(std::move(taken.first));
  return taken;
}

/// A datagram of the batch, or what is wrong with it.
std::optional<Error> read_datagram(mmsghdr& entry, Datagram& datagram) {
  msghdr& header = entry.msg_hdr;
  TakenDescriptors taken = take_descriptors(header);
  datagram.fd = std::move(taken.first);
  // The end has no sender.
  if (entry.msg_len == 0 && header.msg_namelen == 0) {
    return unavailable_error("closed by the peer");
  }
  if (entry.msg_len == 0) return protocol_error("an empty datagram");
  if ((header.msg_flags & MSG_TRUNC) != 0) return protocol_error("datagram over the limit");
  if (taken.count > 1) return protocol_error("more than one descriptor in a datagram");
  const bool truncated = (header.msg_flags & MSG_CTRUNC) != 0;
  if (truncated && taken.count == 1) {
    return protocol_error("more than one descriptor in a datagram");
  }
  datagram.bytes = {static_cast<const char*>(header.msg_iov->iov_base), entry.msg_len};
  datagram.descriptor_lost = truncated;
  return std::nullopt;
}

/// Takes the descriptors out of what the peer has sent and nobody will receive. Where that is much,
/// or others have it in hand, the kernel does so behind our back.
void discard(UniqueFd socket) {
  ::shutdown(socket.get(), SHUT_RDWR);
  for (int i = 0; i < kDiscardedAtOnce; ++i) {
    char byte = 0;
    iovec vector{&byte, sizeof byte};
    ReceiveArena::Control control;  // NOLINT(*-member-init): the kernel fills it
    sockaddr_un name{};
    msghdr header{};
    header.msg_name = &name;
    header.msg_namelen = sizeof(sa_family_t);
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.room();
    const ssize_t size = ::recvmsg(socket.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == ECONNRESET) continue;  // told once, ahead of what was sent
    if (size < 0 || (size == 0 && header.msg_namelen == 0)) return;
    close_foreign(std::move(take_descriptors(header).first));
  }
  close_elsewhere(std::move(socket));
}

ssize_t send_now(int socket, std::string_view bytes, int fd) {
  const std::span<const int> fds(&fd, fd >= 0 ? 1 : 0);
  ssize_t sent = 0;
  do {
    sent = send_passing(socket, bytes, fds, MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

bool is_temporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == ETOOMANYREFS || error == ENOBUFS;
}

bool is_gone(int error) {
  return error == EPIPE || error == ECONNRESET;
}

}  // namespace

Channel::Channel(EventLoop& loop, UniqueFd socket, ChannelHandler& handler, std::size_t max_queued)
    : loop_(loop), socket_(std::move(socket)), handler_(handler), max_queued_(max_queued) {
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
}

Status Channel::open() {
  auto watch = loop_.add(socket_.get(), EPOLLIN, *this);
  if (!watch) return watch.error();
  watch_ = *watch;
  loop_.put_first(watch_, socket_.get());
  open_ = true;
  return {};
}

void Channel::close() {
  open_ = false;
  if (retry_armed_) loop_.cancel(retry_);
  retry_armed_ = false;
  loop_.remove(watch_, socket_.get());
  if (socket_) discard(std::move(socket_));
  for (Queued& queued : queue_) close_foreign(std::move(queued.fd));
  queue_.clear();
  free_.clear();
  quota_exceeded_ = false;
}

bool Channel::may_go_now(Order order) const {
  const bool passes = order == Order::kFree && quota_exceeded_;
  return free_.empty() && (queue_.empty() || passes);
}

void Channel::wait_for(int error, bool with_descriptor) {
  quota_exceeded_ = with_descriptor && error != EAGAIN;
  want_writable(error == EAGAIN);
  if (error != EAGAIN) retry_soon();
}

Status Channel::send(std::string_view datagram, int fd, Order order) {
  if (!open_) return unavailable_error("channel is closed");
  if (may_go_now(order)) {
    if (send_now(socket_.get(), datagram, fd) >= 0) return {};
    const int error = errno;
    if (!is_temporary(error)) return system_error("sendmsg");
    wait_for(error, fd >= 0);
    if (!open_) return unavailable_error("channel is closed");
  }
  if (queued() >= max_queued_) return limit_error("the peer does not read its channel");
  if (order == Order::kFree) {
    free_.emplace_back(datagram);
  } else {
    UniqueFd copy;
    if (fd >= 0) {
      copy.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
      if (!copy) return system_error("cannot queue a descriptor");
    }
    queue_.push_back({std::string(datagram), std::move(copy)});
  }
  high_water_ = std::max(high_water_, queued());
  return {};
}

Offered Channel::offer(std::string_view datagram, int fd) {
  if (!open_) return Offered::kNever;
  if (queued() > 0) return Offered::kLater;
  if (send_now(socket_.get(), datagram, fd) >= 0) return Offered::kSent;
  const int error = errno;
  if (!is_temporary(error)) return Offered::kNever;
  if (error == EAGAIN) {
    want_writable(true);
  } else {
    retry_soon();
  }
  return open_ ? Offered::kLater : Offered::kNever;
}

bool Channel::keeps_order() const {
  return std::any_of(queue_.begin(), queue_.end(), [](const Queued& queued) { return !queued.fd; });
}

bool Channel::flush_one(std::string_view bytes, int fd) {
  if (send_now(socket_.get(), bytes, fd) >= 0) return true;
  const int error = errno;
  if (is_gone(error)) {  // receive() tells of it, after what the peer still said
    for (Queued& queued : queue_) close_foreign(std::move(queued.fd));
    queue_.clear();
    free_.clear();
    want_writable(false);
  } else if (!is_temporary(error)) {
    fail(system_error("sendmsg"));
  } else {
    wait_for(error, fd >= 0);
  }
  return false;
}

void Channel::flush() {
  while (!free_.empty()) {
    if (!flush_one(free_.front(), -1)) return;
    free_.pop_front();
  }
  while (!queue_.empty()) {
    if (!flush_one(queue_.front().bytes, queue_.front().fd.get())) return;
    quota_exceeded_ = false;
    close_foreign(std::move(queue_.front().fd));
    queue_.pop_front();
  }
  want_writable(false);
}

void Channel::want_writable(bool wanted) {
  if (writable_wanted_ == wanted) return;
  writable_wanted_ = wanted;
  const std::uint32_t events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (const Status changed = loop_.modify(watch_, socket_.get(), events); !changed) {
    fail(changed.error());
  }
}

void Channel::retry_soon() {
  if (retry_armed_) return;
  retry_armed_ = true;
  retry_ = loop_.after(kInFlightRetry, [this] {
    retry_armed_ = false;
    flush();
  });
}

void Channel::fail(const Error& why) {
  if (!open_) return;
  close();
  handler_.on_channel_broken(why);
}

void Channel::on_events(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
  if (open_ && (events & EPOLLOUT) != 0) flush();
}

void Channel::receive() {
  std::size_t bytes = 0;
  for (int i = 0; i < kBatchesPerTurn && bytes < kBytesPerTurn; ++i) {
    if (!receive_batch(bytes)) return;
  }
}

void Channel::finish() {
  if (open_) ::shutdown(socket_.get(), SHUT_RD);
}

bool Channel::receive_batch(std::size_t& bytes) {
  ReceiveArena& in = arena();
  in.prepare();
  const int count = ::recvmmsg(socket_.get(), in.headers.data(), kBatch,
                               MSG_DONTWAIT | MSG_CMSG_CLOEXEC, nullptr);
  if (count < 0) {
    // Told once, ahead of what a peer that died with unread datagrams had sent: go on to that.
    if (errno == ECONNRESET) return true;
    if (errno != EAGAIN && errno != EINTR) fail(system_error("recvmmsg"));
    return false;
  }
  for (mmsghdr& entry : std::span(in.headers).first(static_cast<std::size_t>(count))) {
    Datagram datagram;
    const std::optional<Error> wrong = read_datagram(entry, datagram);
    bytes += entry.msg_len;
    if (open_) {
      if (wrong) {
        fail(*wrong);
      } else {
        handler_.on_datagram(datagram);
      }
    }
    // Not taken by the handler, or it has closed the channel meanwhile.
    close_foreign(std::move(datagram.fd));
  }
  return open_ && static_cast<std::size_t>(count) == kBatch;
}

Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair() {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    return system_error("socketpair");
  }
  std::pair ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
  for (const int fd : fds) {
    const sockaddr_un any{AF_UNIX, {}};  // the kernel chooses one that nobody has
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(sa_family_t)) != 0) {
      return system_error("bind of a channel");
    }
  }
  return ends;
}

}  // namespace mpb
