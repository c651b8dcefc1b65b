// What systemd and a service say to each other (sd_notify(3), sd_listen_fds(3)), without its
// library. Without systemd all of it does nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/endpoint.hpp"
#include "common/unique_fd.hpp"
#include "common/units.hpp"

namespace mpb {

/// Sends "READY=1", "STATUS=...", ... to $NOTIFY_SOCKET, if there is one.
void notify_service_manager(std::string_view state);

/// How often the manager wants to hear WATCHDOG=1: half of $WATCHDOG_USEC, if that is for us.
std::optional<Duration> watchdog_interval();

/// A listening socket the manager has opened for us.
struct InheritedSocket {
  UniqueFd socket;
  std::string name;  // $LISTEN_FDNAMES; empty: none given
};
/// Takes what $LISTEN_FDS names, once; the variables are unset, so that no child takes them too.
std::vector<InheritedSocket> take_inherited_sockets();
/// Takes the one of that name or address out of `inherited`; invalid if there is none.
UniqueFd claim_inherited(std::vector<InheritedSocket>& inherited, std::string_view name,
                         const Endpoint& endpoint);

}  // namespace mpb
