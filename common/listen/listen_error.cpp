#include "common/listen/listen_error.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include "common/listen/address_holder.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMostPids = 4;  // told of one program

/// "mpbroker (pid 10), mpworker (pid 11, 12)".
std::string list_of(const std::vector<AddressHolder>& holders) {
  std::map<std::string, std::vector<pid_t>> programs;
  for (const AddressHolder& holder : holders) programs[holder.program].push_back(holder.pid);
  std::string text;
  for (const auto& [program, pids] : programs) {
    text += fmt::format("{}{} (pid ", text.empty() ? "" : ", ", program);
    for (std::size_t i = 0; i < std::min(pids.size(), kMostPids); ++i) {
      text += fmt::format("{}{}", i == 0 ? "" : ", ", pids[i]);
    }
    text += pids.size() > kMostPids ? fmt::format(" and {} more)", pids.size() - kMostPids) : ")";
  }
  return text;
}

std::string help_against(const std::vector<AddressHolder>& holders) {
  std::string orphans;
  for (const AddressHolder& holder : holders) {
    if (holder.pid == ::getpid()) {
      return "it has the address itself: two listeners want it, or one has every address of the "
             "port";
    }
    if (holder.pid == 1) {
      return "systemd listens there for a socket unit ('systemctl list-sockets'): start mpbroker "
             "again so that it is passed the socket, or stop that unit";
    }
    if (holder.orphaned_worker) orphans += fmt::format(" {}", holder.pid);
  }
  if (orphans.empty()) return "end that program, or choose another address";
  return fmt::format(
      "these are workers whose mpbroker died; each ends when its last client has left: 'kill{}' "
      "makes them end after drain-timeout at the latest",
      orphans);
}

Error explain_use(const Endpoint& endpoint, Error error) {
  struct stat status {};
  const std::string path = endpoint.path();
  if (!path.empty() && ::lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) {
    error.text += ": a file that is no socket is there";
    return with_help(std::move(error), "move the file away, or choose another path");
  }
  const AddressHolders holders = find_address_holders(endpoint);
  if (!holders.processes.empty()) {
    error.text += " by " + list_of(holders.processes);
    return with_help(std::move(error), help_against(holders.processes));
  }
  if (holders.user) error.text += fmt::format(" by a process of user {}", *holders.user);
  return with_help(std::move(error),
                   endpoint.family() == AF_UNIX
                       ? fmt::format("'fuser {}' as root names the program that has it; when it "
                                     "names none, remove the file",
                                     path)
                       : fmt::format("'ss -tlnp sport = :{}' as root names the program that has it",
                                     endpoint.port()));
}

Error explain_access(const Endpoint& endpoint, Error error) {
  if (endpoint.family() == AF_UNIX) {
    return with_help(std::move(error), "this user must be able to write to the folder of the path");
  }
  int first = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first;
  if (endpoint.port() >= first) return error;
  return with_help(
      std::move(error),
      fmt::format(
          "ports below {0} need the capability CAP_NET_BIND_SERVICE: give it to the service "
          "(AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit), let a socket unit open "
          "the port, lower the sysctl net.ipv4.ip_unprivileged_port_start, or choose a port "
          "from {0} on",
          first));
}

/// [fe80::...], which needs an interface that no address names here.
bool is_link_local(const Endpoint& endpoint) {
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
  return endpoint.family() == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

}  // namespace

Error explain_listen_error(const Endpoint& endpoint, Error error) {
  switch (error.code) {
    case EADDRINUSE:
      return explain_use(endpoint, std::move(error));
    case EACCES:
    case EPERM:
      return explain_access(endpoint, std::move(error));
    case EADDRNOTAVAIL:
      return with_help(std::move(error),
                       fmt::format("no interface of this machine has the address ('ip address' "
                                   "lists them): wait for the network, or listen on every address "
                                   "with {}:{}",
                                   endpoint.family() == AF_INET6 ? "[::]" : "", endpoint.port()));
    case EINVAL:
      if (!is_link_local(endpoint)) return error;
      return with_help(std::move(error),
                       fmt::format("a link-local address (fe80::...) means nothing without its "
                                   "interface, which cannot be given: listen on another address "
                                   "of the machine, or on every one with [::]:{}",
                                   endpoint.port()));
    case EAFNOSUPPORT:
      return with_help(std::move(error), "this machine does not know this kind of address");
    case ENOENT:
    case ENOTDIR:
      return with_help(std::move(error),
                       "the folder of the path must be there: for a service, RuntimeDirectory= in "
                       "its unit makes one below /run");
    default:
      return error;
  }
}

}  // namespace mpb
