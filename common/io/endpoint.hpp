// An address to listen on or connect to: IPv4, IPv6, a unix path or an abstract unix name.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {

/// A socket address as the kernel takes it (ip(7), ipv6(7), unix(7)).
struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  [[nodiscard]] int family() const { return address.ss_family; }
  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&address); }
  /// "127.0.0.1:1990", "[::1]:1990", "unix:/run/mp.sock" or "unix:@name": what parse_endpoint reads
  /// back.
  [[nodiscard]] std::string to_string() const;
  /// 0 for unix sockets.
  [[nodiscard]] std::uint16_t port() const;
  /// Of every address of its family: 0.0.0.0 or [::].
  [[nodiscard]] bool is_wildcard() const;
  /// In 127.0.0.0/8, or [::1].
  [[nodiscard]] bool is_loopback() const;
  /// The file of a unix socket; empty: there is none.
  [[nodiscard]] std::string path() const;
  friend bool operator==(const Endpoint& a, const Endpoint& b);
};

/// Reads "127.0.0.1:1990", "[::1]:1990", ":1990" or "*:1990" (every IPv4 address), "unix:/path",
/// "/path" or "unix:@name" (an abstract name, which is no file). No name look-ups: an address is a
/// literal.
Result<Endpoint> parse_endpoint(std::string_view text);

/// The local (bound) address of `socket`, such as the port the kernel chose for port 0.
Result<Endpoint> local_endpoint(int socket);

/// The address of the peer of `socket`, "192.0.2.1:1234"; empty: a unix socket, or not connected.
std::string peer_text(int socket);

/// Binds and listens: non-blocking, close-on-exec, SO_REUSEADDR, TCP_NODELAY (which accepted
/// sockets inherit), IPV6_V6ONLY for IPv6. A unix path left behind by a dead server is replaced;
/// one that somebody serves is an error. `mode` sets a unix socket's permissions.
/// ListeningSocket is what a server wants.
Result<UniqueFd> listen_on(const Endpoint& endpoint, int backlog, unsigned mode = 0666);

}  // namespace mpb
