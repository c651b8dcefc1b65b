// The sockets that a service manager passes (sd_listen_fds(3)): whether they can be served, and
// which listener each of them is for.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/endpoint.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {

/// A stream socket that listens, or is bound and can be made to.
struct InheritedSocket {
  UniqueFd socket;
  std::string name;  // FileDescriptorName of the unit; empty: none given
  Endpoint address{};
  bool takes_ipv4 = false;  // IPv6, and clients of IPv4 arrive there, too
};

/// "descriptor 3 'main' ([::]:1935)".
std::string describe(const InheritedSocket& socket);

/// Takes what $LISTEN_FDS names, once; the variables are unset, so that no child takes them too.
/// What cannot be served is an error that names it. A socket that is passed twice is taken once.
Result<std::vector<InheritedSocket>> take_inherited_sockets();
/// The same of these.
Result<std::vector<InheritedSocket>> take_inherited_sockets(std::vector<PassedDescriptor> passed);

/// Somebody who wants sockets passed.
struct SocketWish {
  std::string name;
  std::vector<Endpoint> endpoints;
};

/// For whom a passed socket is.
struct SocketClaim {
  std::size_t wish = 0;                 // the index of who gets it
  std::optional<std::size_t> endpoint;  // the index of the address it stands for; none: all of them
};

/// For each socket: who gets it, if anybody. A socket's name counts first, then its address, then
/// that an IPv6 socket for every address and both families is also one for every IPv4 address.
std::vector<std::optional<SocketClaim>> claim_sockets(const std::vector<InheritedSocket>& sockets,
                                                      const std::vector<SocketWish>& wishes);

}  // namespace mpb
