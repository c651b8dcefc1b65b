#include "common/io/byte_counts.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace mpb {
namespace {

/// TCP_CLOSE_WAIT, TCP_LAST_ACK and TCP_CLOSING of the kernel (net/tcp_states.h): the peer has said
/// that nothing more comes, which counts as a byte received.
bool has_end(std::uint8_t state) {
  constexpr std::uint8_t kCloseWait = 8;
  constexpr std::uint8_t kLastAck = 9;
  constexpr std::uint8_t kClosing = 11;
  return state == kCloseWait || state == kLastAck || state == kClosing;
}

}  // namespace

std::optional<ByteCounts> byte_counts(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  int unacknowledged = 0;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received ||
      ::ioctl(socket, SIOCINQ, &unread) != 0 || ::ioctl(socket, SIOCOUTQ, &unacknowledged) != 0) {
    return std::nullopt;
  }
  const std::uint64_t end = has_end(info.tcpi_state) ? 1 : 0;
  return ByteCounts{info.tcpi_bytes_received - end - static_cast<std::uint64_t>(unread),
                    info.tcpi_bytes_acked + static_cast<std::uint64_t>(unacknowledged)};
}

}  // namespace mpb
