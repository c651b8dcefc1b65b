// Makes the sockets of clients.
#pragma once

#include <cstdint>

#include "common/io/endpoint.hpp"

namespace mpb::load {

// Of the 28,232 local ports that Linux gives out by default for one source and destination.
inline constexpr std::uint64_t kPortsPerSource = 25'000;
// Clients that end leave their port in TIME_WAIT for a while: room for some 100,000 of them.
inline constexpr unsigned kSourcesForTurnover = 8;
inline constexpr std::int64_t kMaxSources = 254 * 254;

/// The only addresses of which there are many on every machine.
inline bool is_ipv4_loopback(const Endpoint& endpoint) {
  return endpoint.family() == AF_INET && endpoint.is_loopback();
}

class Connector {
 public:
  /// `sources`: loopback source addresses to rotate over; 0: the kernel's choice. `reset_on_close`:
  /// connections end by a reset, which leaves no port in TIME_WAIT.
  Connector(const Endpoint& target, unsigned sources, bool reset_on_close);

  /// A non-blocking socket, bound to the source address whose turn it is; -1 and errno otherwise.
  [[nodiscard]] int open_socket(std::uint64_t number) const;
  /// Begins to connect: 0, or errno. EINPROGRESS: the kernel goes on (the connection may stand
  /// already); EAGAIN: a unix listener's queue is full, call again later.
  [[nodiscard]] int begin(int fd) const;
  void close(int fd) const;

 private:
  [[nodiscard]] bool bind_source(int fd, std::uint64_t number) const;

  Endpoint target_;
  unsigned sources_;
  bool reset_on_close_;
};

}  // namespace mpb::load
