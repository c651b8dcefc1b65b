#include "common/io/socket_options.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

namespace mpb {
namespace {

struct Option {
  std::string_view name;
  int level;
  int number;
};

// Buffers come before SO_BUF_LOCK: setting one locks it.
constexpr Option kOptions[] = {
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    {"SO_BUF_LOCK", SOL_SOCKET, 72},
    {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT},
    {"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO},
    {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO},
    {"SO_LINGER", SOL_SOCKET, SO_LINGER},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
    {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT},
    {"SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE},
    {"SO_PRIORITY", SOL_SOCKET, SO_PRIORITY},
    {"SO_MARK", SOL_SOCKET, SO_MARK},
    {"SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE},
    {"SO_MAX_PACING_RATE", SOL_SOCKET, SO_MAX_PACING_RATE},
    {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST},
    {"SO_TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP},
    {"SO_TIMESTAMPNS", SOL_SOCKET, SO_TIMESTAMPNS},
    {"SO_TIMESTAMPING", SOL_SOCKET, SO_TIMESTAMPING},
    {"SO_PASSCRED", SOL_SOCKET, SO_PASSCRED},
    {"SO_PASSSEC", SOL_SOCKET, SO_PASSSEC},
    {"SO_RXQ_OVFL", SOL_SOCKET, SO_RXQ_OVFL},
    {"SO_SELECT_ERR_QUEUE", SOL_SOCKET, SO_SELECT_ERR_QUEUE},
    {"SO_BUSY_POLL", SOL_SOCKET, SO_BUSY_POLL},
    {"SO_PREFER_BUSY_POLL", SOL_SOCKET, 69},
    {"SO_BUSY_POLL_BUDGET", SOL_SOCKET, 70},
    {"SO_INCOMING_CPU", SOL_SOCKET, SO_INCOMING_CPU},
    {"SO_ZEROCOPY", SOL_SOCKET, SO_ZEROCOPY},
    {"SO_TXREHASH", SOL_SOCKET, 74},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK},
    {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT},
    {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2},
    {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {"TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION},
    {"TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN},
    {"TCP_SAVE_SYN", IPPROTO_TCP, TCP_SAVE_SYN},
    {"TCP_THIN_LINEAR_TIMEOUTS", IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {"TCP_FASTOPEN_NO_COOKIE", IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
    {"TCP_INQ", IPPROTO_TCP, TCP_INQ},
    {"TCP_TX_DELAY", IPPROTO_TCP, 37},
    {"TCP_ULP", IPPROTO_TCP, TCP_ULP},
    {"IP_TOS", IPPROTO_IP, IP_TOS},
    {"IP_TTL", IPPROTO_IP, IP_TTL},
    {"IP_MINTTL", IPPROTO_IP, IP_MINTTL},
    {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER},
    {"IP_OPTIONS", IPPROTO_IP, IP_OPTIONS},
    {"IP_RECVERR", IPPROTO_IP, IP_RECVERR},
    {"IP_TRANSPARENT", IPPROTO_IP, IP_TRANSPARENT},
    {"IP_FREEBIND", IPPROTO_IP, IP_FREEBIND},
    {"IP_PKTINFO", IPPROTO_IP, IP_PKTINFO},
    {"IP_RECVTTL", IPPROTO_IP, IP_RECVTTL},
    {"IP_RECVTOS", IPPROTO_IP, IP_RECVTOS},
    {"IP_UNICAST_IF", IPPROTO_IP, IP_UNICAST_IF},
    {"IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {"IPV6_MINHOPCOUNT", IPPROTO_IPV6, IPV6_MINHOPCOUNT},
    {"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS},
    {"IPV6_MTU_DISCOVER", IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {"IPV6_RECVERR", IPPROTO_IPV6, IPV6_RECVERR},
    {"IPV6_DONTFRAG", IPPROTO_IPV6, IPV6_DONTFRAG},
    {"IPV6_TRANSPARENT", IPPROTO_IPV6, IPV6_TRANSPARENT},
    {"IPV6_FREEBIND", IPPROTO_IPV6, IPV6_FREEBIND},
    {"IPV6_RECVPKTINFO", IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {"IPV6_RECVRTHDR", IPPROTO_IPV6, IPV6_RECVRTHDR},
    {"IPV6_UNICAST_IF", IPPROTO_IPV6, IPV6_UNICAST_IF},
    {"IPV6_FLOWINFO_SEND", IPPROTO_IPV6, 33},
    {"IPV6_AUTOFLOWLABEL", IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
};

constexpr int kMemoryOfSocket = 55;          // SO_MEMINFO
constexpr std::size_t kMemoryOfOptions = 6;  // its SK_MEMINFO_OPTMEM

/// None: the socket has no such option.
std::optional<std::string> read_option(int socket, const Option& option) {
  std::array<char, 64> bytes{};
  socklen_t size = bytes.size();
  if (::getsockopt(socket, option.level, option.number, bytes.data(), &size) != 0) {
    return std::nullopt;
  }
  // Switched off, it still tells how long it was.
  const bool is_linger = option.level == SOL_SOCKET && option.number == SO_LINGER;
  if (is_linger && std::count(bytes.begin(), bytes.begin() + sizeof(int), '\0') == sizeof(int)) {
    bytes.fill('\0');
  }
  return std::string(bytes.data(), size);
}

void write_option(int socket, const Option& option, std::string bytes) {
  const bool is_buffer =
      option.level == SOL_SOCKET && (option.number == SO_RCVBUF || option.number == SO_SNDBUF);
  if (is_buffer && bytes.size() == sizeof(int)) {
    int size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    size /= 2;  // the kernel doubles what it is told
    std::memcpy(bytes.data(), &size, sizeof size);
  }
  ::setsockopt(socket, option.level, option.number, bytes.data(),
               static_cast<socklen_t>(bytes.size()));
}

/// A filter (socket(7), SO_ATTACH_FILTER) may drop whatever arrives.
bool has_filter(int socket) {
  socklen_t size = 0;
  if (::getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, nullptr, &size) == 0) return size > 0;
  return errno == EACCES;  // one of the kind that cannot be read
}

/// What is attached to a socket is charged here: filters, and what getsockopt(2) does not tell of,
/// such as keys (TCP_MD5SIG), without which nobody's packets are taken any more.
std::uint32_t memory_of_options(int socket) {
  std::array<std::uint32_t, 16> memory{};
  socklen_t size = sizeof memory;
  const bool known = ::getsockopt(socket, SOL_SOCKET, kMemoryOfSocket, memory.data(), &size) == 0;
  return known ? memory[kMemoryOfOptions] : 0;
}

void tell(SocketOptions::Outcome& outcome, std::string_view name) {
  if (!outcome.changed.empty()) outcome.changed += ',';
  outcome.changed += name;
}

}  // namespace

void SocketOptions::remember(int socket) {
  values_.clear();
  for (std::size_t i = 0; i < std::size(kOptions); ++i) {
    if (auto bytes = read_option(socket, kOptions[i])) values_.push_back({i, *std::move(bytes)});
  }
  attached_ = memory_of_options(socket);
}

SocketOptions::Outcome SocketOptions::restore(int socket) const {
  Outcome outcome;
  for (const Value& value : values_) {
    const Option& option = kOptions[value.option];
    if (read_option(socket, option) == value.bytes) continue;
    tell(outcome, option.name);
    write_option(socket, option, value.bytes);
    if (read_option(socket, option) != value.bytes) outcome.complete = false;
  }
  if (has_filter(socket)) {
    tell(outcome, "SO_ATTACH_FILTER");
    const int none = 0;
    ::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    if (has_filter(socket)) outcome.complete = false;
  }
  if (memory_of_options(socket) > attached_) {
    tell(outcome, "SO_MEMINFO");
    outcome.complete = false;
  }
  return outcome;
}

void clear_error_queue(int socket) {
  constexpr int kAtOnce = 64;
  constexpr std::array<std::array<int, 2>, 4> kCauses{{{SOL_SOCKET, SO_TIMESTAMPING},
                                                       {SOL_SOCKET, SO_ZEROCOPY},
                                                       {IPPROTO_IP, IP_RECVERR},
                                                       {IPPROTO_IPV6, IPV6_RECVERR}}};
  const int off = 0;
  for (const auto& [level, option] : kCauses) {
    ::setsockopt(socket, level, option, &off, sizeof off);
  }
  for (int i = 0; i < kAtOnce; ++i) {
    msghdr nothing{};
    if (::recvmsg(socket, &nothing, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
  }
}

bool mend_flags(int socket) {
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags == -1) return false;
  const int wanted = (flags | O_NONBLOCK) & ~O_ASYNC;
  return flags != wanted && ::fcntl(socket, F_SETFL, wanted) == 0;
}

}  // namespace mpb
