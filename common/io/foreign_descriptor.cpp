#include "common/io/foreign_descriptor.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "common/io/descriptor_passing.hpp"
#include "common/io/signals.hpp"
#include "common/io/turn_guard.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxThreads = 8;
constexpr std::size_t kManyClosing = 512;
constexpr std::chrono::seconds kSpare{10};     // how long a thread waits for something to close
constexpr std::chrono::minutes kDistrust{10};  // after a close that was made to wait

int option_of(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

bool is_tcp_protocol(int protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

bool is_internet(int domain) {
  return domain == AF_INET || domain == AF_INET6;
}

/// Never destroyed: a thread may be stuck in close(2) when the process ends.
class Closer {
 public:
  static Closer& instance() {
    static auto* const closer = new Closer;
    return *closer;
  }

  void add(UniqueFd fd) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(fd));
    ++closing_;
    if (idle_ == 0) return start();
    work_.notify_one();
  }

  [[nodiscard]] std::size_t closing() const { return closing_; }

 private:
  /// Without a thread they wait for the next try.
  void start() {
    if (threads_ >= kMaxThreads) return;
    try {
      const AllSignalsBlocked in_the_thread;
      std::thread([this] { run(); }).detach();
      ++threads_;
      ++idle_;
    } catch (const std::system_error&) {
    }
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (work_.wait_for(lock, kSpare, [this] { return !waiting_.empty(); })) {
      UniqueFd fd = std::move(waiting_.front());
      waiting_.pop_front();
      // Should this one be stuck, another thread goes on.
      if (--idle_ == 0 && !waiting_.empty()) start();
      lock.unlock();
      if (is_internet(option_of(fd.get(), SO_DOMAIN))) dont_linger(fd.get());
      fd.reset();
      lock.lock();
      --closing_;
      ++idle_;
    }
    --idle_;
    --threads_;
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<UniqueFd> waiting_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  std::atomic<std::size_t> closing_ = 0;
};

std::atomic<bool>& closer_in_use() {
  static std::atomic<bool> in_use = false;
  return in_use;
}

/// The tcpi_state alone of what TCP_INFO tells (tcp(7)): none when it is no TCP socket. Sockets of
/// TIPC have an answer for it, too, and those of SMC pass the question on.
std::optional<std::uint8_t> tcp_state(int fd) {
  std::uint8_t state = 0;
  socklen_t length = sizeof state;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) != 0) return std::nullopt;
  if (length != sizeof state || !is_tcp_protocol(option_of(fd, SO_PROTOCOL))) return std::nullopt;
  return state;
}

/// Closes a TCP socket, in the caller's thread.
void close_tcp(UniqueFd fd) {
  using Clock = std::chrono::steady_clock;
  static std::atomic<Clock::time_point> distrusted_until{};
  const Clock::time_point until = distrusted_until;
  if (until != Clock::time_point{} && Clock::now() < until) dont_linger(fd.get());
  const auto interruptions = TurnGuard::count();
  fd.reset();
  if (TurnGuard::count() != interruptions) distrusted_until = Clock::now() + kDistrust;
}

}  // namespace

StreamKind stream_kind(int fd) {
  if (const auto state = tcp_state(fd)) {
    return *state == TCP_LISTEN ? StreamKind::kOther : StreamKind::kTcp;
  }
  if (option_of(fd, SO_TYPE) != SOCK_STREAM) return StreamKind::kOther;
  if (option_of(fd, SO_ACCEPTCONN) != 0) return StreamKind::kOther;
  const int domain = option_of(fd, SO_DOMAIN);
  if (domain == AF_UNIX) return StreamKind::kUnix;
  if (!is_internet(domain)) return StreamKind::kOther;
  return is_tcp_protocol(option_of(fd, SO_PROTOCOL)) ? StreamKind::kTcp : StreamKind::kOther;
}

bool is_for_letters(int fd) {
  return option_of(fd, SO_TYPE) >= 0 || ::fcntl(fd, F_GETPIPE_SZ) >= 0 ||
         ::fcntl(fd, F_GET_SEALS) >= 0;
}

StreamKind client_kind(int listener) {
  return is_internet(option_of(listener, SO_DOMAIN)) ? StreamKind::kTcp : StreamKind::kUnix;
}

void close_foreign(UniqueFd fd) {
  if (!fd) return;
  const StreamKind kind = stream_kind(fd.get());
  close_foreign({std::move(fd), kind});
}

void close_foreign(ForeignDescriptor descriptor) {
  if (!descriptor.fd) return;
  if (descriptor.kind != StreamKind::kTcp) return close_elsewhere(std::move(descriptor.fd));
  dont_linger(descriptor.fd.get());
}

void close_client(ForeignDescriptor descriptor) {
  if (!descriptor.fd) return;
  if (descriptor.kind != StreamKind::kTcp) return close_elsewhere(std::move(descriptor.fd));
  close_tcp(std::move(descriptor.fd));
}

void close_elsewhere(UniqueFd fd) {
  if (!fd) return;
  closer_in_use() = true;
  Closer::instance().add(std::move(fd));
}

ssize_t receive_bytes(int socket, void* bytes, std::size_t size) {
  // NOLINTNEXTLINE(*-member-init): the kernel says how much of it is filled
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostPassed * sizeof(int))> control;
  iovec part{bytes, size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) return count;
  take_passed(header, [](UniqueFd fd) { close_foreign(std::move(fd)); });
  return count;
}

std::size_t descriptors_closing() {
  return closer_in_use() ? Closer::instance().closing() : 0;
}

bool closing_is_held_up() {
  return descriptors_closing() > kManyClosing;
}

void dont_linger(int fd) {
  const linger off{0, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

}  // namespace mpb
