#include "common/io/endpoint.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "common/base/units.hpp"
#include "common/io/owned_path.hpp"

namespace mpb {
namespace {

Result<Endpoint> parse_unix(std::string_view path, std::string_view text) {
  Endpoint endpoint;
  auto* address = reinterpret_cast<sockaddr_un*>(&endpoint.address);
  if (path.empty() || path == "@" || path.size() >= sizeof(address->sun_path)) {
    return usage_error(fmt::format("'{}': a unix socket path has 1 to {} bytes", text,
                                   sizeof(address->sun_path) - 1));
  }
  address->sun_family = AF_UNIX;
  path.copy(address->sun_path, path.size());
  endpoint.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path.front() == '@') {
    address->sun_path[0] = '\0';  // an abstract name: its length counts, not a NUL at its end
  } else {
    ++endpoint.length;
  }
  return endpoint;
}

bool parse_host(std::string_view host, bool bracketed, std::uint16_t port, Endpoint& endpoint) {
  const std::string literal(host.empty() || host == "*" ? "0.0.0.0" : host);
  if (bracketed) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    endpoint.length = sizeof(sockaddr_in6);
    return ::inet_pton(AF_INET6, literal.c_str(), &v6->sin6_addr) == 1;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.address);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(port);
  endpoint.length = sizeof(sockaddr_in);
  return ::inet_pton(AF_INET, literal.c_str(), &v4->sin_addr) == 1;
}

const sockaddr_un* as_unix(const Endpoint& endpoint) {
  return reinterpret_cast<const sockaddr_un*>(&endpoint.address);
}

std::string unix_name(const Endpoint& endpoint) {
  constexpr auto kStart = offsetof(sockaddr_un, sun_path);
  if (endpoint.length <= kStart) return "unix:";
  const char* name = as_unix(endpoint)->sun_path;
  if (*name != '\0') return fmt::format("unix:{}", endpoint.path());
  std::string text(name, endpoint.length - kStart);
  std::replace(text.begin(), text.end(), '\0', '@');
  return "unix:" + text;
}

Status bind_to(int socket, const Endpoint& endpoint) {
  if (::bind(socket, endpoint.data(), endpoint.length) == 0) return {};
  const int refused = errno;
  const std::string name = endpoint.to_string();
  if (refused != EADDRINUSE || endpoint.family() != AF_UNIX || !is_left_behind(endpoint)) {
    errno = refused;
    return system_error("cannot listen on " + name);
  }
  ::unlink(endpoint.path().c_str());
  if (::bind(socket, endpoint.data(), endpoint.length) != 0) {
    return system_error("cannot listen on " + name);
  }
  return {};
}

}  // namespace

std::string Endpoint::to_string() const {
  char host[INET6_ADDRSTRLEN] = "";
  switch (family()) {
    case AF_INET: {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
      ::inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
      return fmt::format("{}:{}", host, ntohs(v4->sin_port));
    }
    case AF_INET6: {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
      ::inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
      return fmt::format("[{}]:{}", host, ntohs(v6->sin6_port));
    }
    case AF_UNIX:
      return unix_name(*this);
    default:
      return "?";
  }
}

std::uint16_t Endpoint::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  if (family() != AF_INET6) return 0;
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
}

bool Endpoint::is_wildcard() const {
  if (family() == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(&address)->sin_addr.s_addr == htonl(INADDR_ANY);
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

bool Endpoint::is_loopback() const {
  if (family() == AF_INET) {
    constexpr unsigned kNet = 127;
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    return ntohl(v4->sin_addr.s_addr) >> 24 == kNet;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

std::string Endpoint::path() const {
  constexpr auto kStart = offsetof(sockaddr_un, sun_path);
  if (family() != AF_UNIX || length <= kStart) return {};
  // Without a NUL at the end when it fills its place.
  return {as_unix(*this)->sun_path, ::strnlen(as_unix(*this)->sun_path, length - kStart)};
}

bool operator==(const Endpoint& a, const Endpoint& b) {
  return a.length == b.length && std::memcmp(&a.address, &b.address, a.length) == 0;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5), text);
  if (text.starts_with("/") || text.starts_with("./")) return parse_unix(text, text);
  const auto colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  Endpoint endpoint;
  if (colon != std::string_view::npos) {
    const auto port = parse_integer(text.substr(colon + 1), 0, 65535);
    if (port && parse_host(host, bracketed, static_cast<std::uint16_t>(*port), endpoint)) {
      return endpoint;
    }
  }
  return usage_error(fmt::format(
      "'{}' is not an address such as 127.0.0.1:1990, [::1]:1990, :1990 or unix:/path", text));
}

Result<Endpoint> local_endpoint(int socket) {
  Endpoint endpoint;
  endpoint.length = sizeof endpoint.address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.length) !=
      0) {
    return system_error("getsockname");
  }
  return endpoint;
}

std::string peer_text(int socket) {
  Endpoint peer;
  peer.length = sizeof peer.address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer.address), &peer.length) != 0) {
    return {};
  }
  return peer.family() == AF_UNIX ? std::string() : peer.to_string();
}

Result<UniqueFd> listen_on(const Endpoint& endpoint, int backlog, unsigned mode) {
  UniqueFd socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("socket for " + endpoint.to_string());
  const int on = 1;
  if (endpoint.family() == AF_INET6) {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (endpoint.family() != AF_UNIX) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Accepted sockets inherit it: answers go out at once, without a system call per client.
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const mode_t old_mask = ::umask(~mode & 0777);
  const Status bound = bind_to(socket.get(), endpoint);
  ::umask(old_mask);
  if (!bound) return bound.error();
  if (::listen(socket.get(), backlog) != 0) {
    return system_error("cannot listen on " + endpoint.to_string());
  }
  return socket;
}

}  // namespace mpb
