// The sockets of one listener: passed by a service manager, kept from before, or opened now.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "common/config/settings.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/rate_bucket.hpp"
#include "common/listen/inherited_sockets.hpp"
#include "common/listen/listener_rest.hpp"
#include "common/listen/listening_socket.hpp"

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

/// What is told of sockets that others change, whichever and however often they do it.
class ListenerReport {
 public:
  void mended(const ListeningSocket& socket, std::string_view listener, const std::string& changed,
              TimePoint now);
  void renewed(const ListeningSocket& socket, std::string_view listener, TimePoint now);
  void lost(const ListeningSocket& socket, std::string_view listener, const std::string& changed,
            const Error& why, TimePoint now);
  void kept(const ListeningSocket& socket, std::string_view listener, const Error& why,
            TimePoint now);

 private:
  RateBucket mended_, renewed_, lost_, kept_;
};

/// Keeps one listener's socket right, which others share: undoes what they did to it, and makes it
/// anew where it cannot, or cannot know.
class ListenerUpkeep {
 public:
  /// Another socket is to take its place: a process that had this one, and may have done to it what
  /// cannot be seen, has ended. Not more often than every few seconds.
  void distrust() { distrusted_ = true; }

  /// To be called every now and then. True: who accepts there must be given the sockets anew, with
  /// rest(). `let_go` is called before any of them is closed or replaced, for who watches it.
  bool run(ListeningSocket& socket, std::string_view listener, TimePoint now,
           ListenerReport& report, const std::function<void()>& let_go = {});

  /// The socket that was replaced, while clients may wait there: they are to be accepted, too. -1:
  /// there is none.
  [[nodiscard]] int rest() const { return rest_ ? rest_->descriptor() : -1; }
  void drop_rest() { rest_.reset(); }
  /// `old` was replaced otherwise.
  void keep(UniqueFd old, TimePoint now) {
    rest_ = std::make_unique<ListenerRest>(std::move(old), now);
  }

 private:
  bool look_at_rest(TimePoint now, const std::function<void()>& let_go);
  bool mend(ListeningSocket& socket, std::string_view listener, TimePoint now,
            ListenerReport& report, const std::function<void()>& let_go);
  bool replace(ListeningSocket& socket, std::string_view listener, TimePoint now,
               ListenerReport& report, const std::function<void()>& let_go);

  std::unique_ptr<ListenerRest> rest_;
  bool distrusted_ = false;
  TimePoint next_replacement_{};
};

}  // namespace mpb
