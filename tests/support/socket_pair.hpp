// Two sockets of this process that are connected to each other.
#pragma once

#include <sys/socket.h>

#include <stdexcept>
#include <utility>

#include "common/base/unique_fd.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::test {

/// Of unix sockets; `flags` are those of socket(2) beside SOCK_CLOEXEC.
struct SocketPair {
  explicit SocketPair(int flags = 0) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends) != 0) {
      throw std::runtime_error("socketpair");
    }
    ours.reset(ends[0]);
    peer.reset(ends[1]);
  }
  SocketPair(UniqueFd one, UniqueFd other) : ours(std::move(one)), peer(std::move(other)) {}

  UniqueFd ours;
  UniqueFd peer;
};

/// Of TCP: ours was accepted, and does not block.
inline SocketPair tcp_pair() {
  const UniqueFd listener = listen_on(parse_endpoint("127.0.0.1:0").value(), 1).value();
  const Endpoint at = local_endpoint(listener.get()).value();
  UniqueFd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(peer.get(), at.data(), at.length) != 0) throw std::runtime_error("connect");
  UniqueFd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!ours) throw std::runtime_error("accept4");
  return {std::move(ours), std::move(peer)};
}

}  // namespace mpb::test
