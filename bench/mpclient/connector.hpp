// Makes the sockets of clients.
#pragma once

#include <cstdint>

#include "bench/mpclient/settings.hpp"
#include "common/error.hpp"

namespace mpb::load {

/// Raises RLIMIT_NOFILE to its hard limit and returns it.
std::uint64_t raise_descriptor_limit();

class Connector {
 public:
  explicit Connector(const Settings& settings);

  /// A non-blocking socket, bound to the source address whose turn it is; -1 and errno otherwise.
  [[nodiscard]] int open_socket(std::uint64_t number) const;
  /// Begins to connect: 0, or errno. EINPROGRESS: the kernel goes on (the connection may stand
  /// already); EAGAIN: a unix listener's queue is full, call again later.
  [[nodiscard]] int begin(int fd) const;
  /// Closes, by a reset where the settings ask for it.
  void close(int fd) const;

 private:
  [[nodiscard]] bool bind_source(int fd, std::uint64_t number) const;

  Endpoint target_;
  unsigned sources_;
  bool reset_on_close_;
};

}  // namespace mpb::load
