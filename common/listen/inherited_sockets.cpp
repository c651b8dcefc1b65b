#include "common/listen/inherited_sockets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <utility>

#include "common/log/log.hpp"

namespace mpb {
namespace {

int socket_option(int socket, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, level, option, &value, &size) == 0 ? value : -1;
}

struct Fault {
  std::string_view kind;  // empty: it can be served
  std::string_view help;
};

constexpr std::string_view kTakeOut = "take it out of the unit";

Fault fault_of_file(mode_t mode) {
  if (S_ISFIFO(mode)) return {"a FIFO", "take ListenFIFO= out of the socket unit"};
  if (S_ISREG(mode)) return {"a file", kTakeOut};
  if (S_ISDIR(mode)) return {"a folder", kTakeOut};
  if (S_ISCHR(mode) || S_ISBLK(mode)) return {"a device", kTakeOut};
  return {"no socket", kTakeOut};
}

Fault fault_of_type(int domain, int type) {
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) {
    return {"a socket of a family that is neither IPv4, IPv6 nor unix", kTakeOut};
  }
  switch (type) {
    case SOCK_STREAM:
      return {};
    case SOCK_DGRAM:
      return {domain == AF_UNIX ? "a unix datagram socket" : "a UDP socket",
              "use ListenStream= in the socket unit, not ListenDatagram="};
    case SOCK_SEQPACKET:
      return {"a socket for sequential packets",
              "use ListenStream= in the socket unit, not ListenSequentialPacket="};
    default:
      return {"no stream socket", "use ListenStream= in the socket unit"};
  }
}

Fault fault_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {"not open", "LISTEN_FDS names more than was passed"};
  if (!S_ISSOCK(status.st_mode)) return fault_of_file(status.st_mode);
  const int domain = socket_option(fd, SOL_SOCKET, SO_DOMAIN);
  const Fault fault = fault_of_type(domain, socket_option(fd, SOL_SOCKET, SO_TYPE));
  if (!fault.kind.empty() || socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) return fault;
  Endpoint peer;
  peer.length = sizeof peer.address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.address), &peer.length) == 0) {
    return {domain == AF_UNIX ? "a connected unix socket" : "a connected TCP socket",
            "set Accept=no in the socket unit"};
  }
  const auto bound = local_endpoint(fd);
  const bool has_address =
      bound && (domain == AF_UNIX ? bound->to_string() != "unix:" : bound->port() != 0);
  if (has_address) return {};
  return {"a socket without an address", "it must be bound, or better listen"};
}

InheritedSocket look_at(PassedDescriptor passed) {
  InheritedSocket socket{std::move(passed.descriptor), std::move(passed.name)};
  if (const auto bound = local_endpoint(socket.socket.get())) socket.address = *bound;
  socket.takes_ipv4 = socket.address.family() == AF_INET6 &&
                      socket_option(socket.socket.get(), IPPROTO_IPV6, IPV6_V6ONLY) == 0;
  return socket;
}

ino_t inode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool has_address(const SocketWish& wish, const Endpoint& address, SocketClaim& claim) {
  const auto found = std::find(wish.endpoints.begin(), wish.endpoints.end(), address);
  if (found == wish.endpoints.end()) return false;
  claim.endpoint = static_cast<std::size_t>(found - wish.endpoints.begin());
  return true;
}

bool stands_for(const InheritedSocket& socket, const SocketWish& wish, SocketClaim& claim) {
  if (!socket.takes_ipv4 || !socket.address.is_wildcard()) return false;
  const auto every = parse_endpoint(fmt::format(":{}", socket.address.port()));
  return every && has_address(wish, *every, claim);
}

}  // namespace

std::string describe(const InheritedSocket& socket) {
  const std::string name = socket.name.empty() ? "" : fmt::format(" '{}'", socket.name);
  const std::string address = socket.address.length > 0 && socket.address.family() != AF_UNSPEC
                                  ? fmt::format(" ({})", socket.address.to_string())
                                  : "";
  return fmt::format("descriptor {}{}{}", socket.socket.get(), name, address);
}

Result<std::vector<InheritedSocket>> take_inherited_sockets() {
  return take_inherited_sockets(take_passed_descriptors());
}

Result<std::vector<InheritedSocket>> take_inherited_sockets(std::vector<PassedDescriptor> all) {
  std::vector<InheritedSocket> sockets;
  std::set<ino_t> seen;
  for (PassedDescriptor& passed : all) {
    const Fault fault = fault_of(passed.descriptor.get());
    InheritedSocket socket = look_at(std::move(passed));
    if (!fault.kind.empty()) {
      return with_help(
          usage_error(fmt::format("{} that the service manager passed is {}: expected a stream "
                                  "socket that listens",
                                  describe(socket), fault.kind)),
          std::string(fault.help));
    }
    if (!seen.insert(inode_of(socket.socket.get())).second) {
      log_warning("socket.ignored")("socket", describe(socket))("why", "it was passed twice");
      continue;
    }
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::vector<std::optional<SocketClaim>> claim_sockets(const std::vector<InheritedSocket>& sockets,
                                                      const std::vector<SocketWish>& wishes) {
  const auto is_named = [](const InheritedSocket& socket, const SocketWish& wish, SocketClaim&) {
    return !socket.name.empty() && socket.name == wish.name;
  };
  const auto is_at = [](const InheritedSocket& socket, const SocketWish& wish, SocketClaim& claim) {
    return has_address(wish, socket.address, claim);
  };
  const auto is_both = [&](const InheritedSocket& socket, const SocketWish& wish,
                           SocketClaim& claim) {
    return is_named(socket, wish, claim) && is_at(socket, wish, claim);
  };
  using Rule = std::function<bool(const InheritedSocket&, const SocketWish&, SocketClaim&)>;
  std::vector<std::optional<SocketClaim>> claims(sockets.size());
  for (const Rule& rule : {Rule(is_both), Rule(is_named), Rule(is_at), Rule(stands_for)}) {
    for (std::size_t s = 0; s < sockets.size(); ++s) {
      for (std::size_t w = 0; w < wishes.size() && !claims[s]; ++w) {
        SocketClaim claim{w, std::nullopt};
        if (rule(sockets[s], wishes[w], claim)) claims[s] = claim;
      }
    }
  }
  return claims;
}

}  // namespace mpb
