#include "common/endpoint.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>

#include "common/units.hpp"

namespace mpb {
namespace {

Result<Endpoint> parse_unix(std::string_view path, std::string_view text) {
  Endpoint endpoint;
  auto* address = reinterpret_cast<sockaddr_un*>(&endpoint.address);
  if (path.empty() || path.size() >= sizeof(address->sun_path)) {
    return usage_error(fmt::format("'{}': a unix socket path has 1 to {} bytes", text,
                                   sizeof(address->sun_path) - 1));
  }
  address->sun_family = AF_UNIX;
  path.copy(address->sun_path, path.size());
  endpoint.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return endpoint;
}

bool parse_host(std::string_view host, bool bracketed, std::uint16_t port, Endpoint& endpoint) {
  const std::string literal(host.empty() ? "0.0.0.0" : host);
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

/// True when a socket at a unix path is served by nobody: a dead server left it behind. A file of
/// another kind refuses connections too, but is not ours to remove.
bool is_stale(const Endpoint& endpoint) {
  struct stat status {};
  const auto* path = reinterpret_cast<const sockaddr_un*>(&endpoint.address)->sun_path;
  if (::lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && ::connect(probe.get(), endpoint.data(), endpoint.length) != 0 &&
         errno == ECONNREFUSED;
}

Status bind_to(int socket, const Endpoint& endpoint) {
  if (::bind(socket, endpoint.data(), endpoint.length) == 0) return {};
  const int refused = errno;
  const std::string name = endpoint.to_string();
  if (refused != EADDRINUSE || endpoint.family() != AF_UNIX || !is_stale(endpoint)) {
    errno = refused;
    return system_error("cannot listen on " + name);
  }
  const auto* path = reinterpret_cast<const sockaddr_un*>(&endpoint.address)->sun_path;
  ::unlink(path);
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
    case AF_UNIX: {
      const auto* path = reinterpret_cast<const sockaddr_un*>(&address)->sun_path;
      return length > offsetof(sockaddr_un, sun_path) ? fmt::format("unix:{}", path) : "unix:";
    }
    default:
      return "?";
  }
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

void remove_path(const Endpoint& endpoint) {
  if (endpoint.family() != AF_UNIX) return;
  ::unlink(reinterpret_cast<const sockaddr_un*>(&endpoint.address)->sun_path);
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
