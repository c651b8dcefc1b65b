// The sockets of one listener: passed by a service manager, kept from before, or opened now.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "common/event_loop.hpp"
#include "common/inherited_sockets.hpp"
#include "common/listening_socket.hpp"
#include "common/settings.hpp"

namespace mpb {

using SharedSocket = std::shared_ptr<ListeningSocket>;

SocketSetup socket_setup(const ListenerSettings& listener, const Settings& settings);

/// Passed sockets that one listener gets.
struct ClaimedSocket {
  std::optional<std::size_t> endpoint;  // see SocketClaim
  UniqueFd socket;
};
/// What each wish gets. A socket that nobody wants is closed, and the log told.
std::vector<std::vector<ClaimedSocket>> distribute(std::vector<InheritedSocket> sockets,
                                                   const std::vector<SocketWish>& wishes);
std::vector<SocketWish> socket_wishes(const std::vector<ListenerSettings>& listeners);

struct ListenerSocket {
  Endpoint wanted;  // the address it stands for
  SharedSocket socket;
};
/// Gives the socket that is open for an address already, or null.
using SocketFinder = std::function<SharedSocket(const Endpoint&)>;
/// A socket for each address of `listener`: claimed, found or opened. Of several addresses of a
/// host name those that this machine does not have are left out, unless it has none of them.
Result<std::vector<ListenerSocket>> open_listener(const ListenerSettings& listener,
                                                  const SocketSetup& setup,
                                                  std::vector<ClaimedSocket> claimed,
                                                  const SocketFinder& find);

/// When something else has taken the place of its path: nobody finds the socket there.
void warn_of_taken_path(std::string_view listener, const ListeningSocket& socket);

/// Puts a socket right that others share, and tells the log of it, once a minute at most.
class ListenerUpkeep {
 public:
  /// True: it is another socket now, which all who accept there must be given. `let_go` is called
  /// before the old one is closed, for who watches it.
  bool run(ListeningSocket& socket, std::string_view listener, TimePoint now,
           const std::function<void()>& let_go = {});

 private:
  void tell(const ListeningSocket& socket, std::string_view listener, const std::string& changed,
            const Status& renewed, TimePoint now);

  TimePoint next_line_{};
  std::uint64_t untold_ = 0;
};

}  // namespace mpb
