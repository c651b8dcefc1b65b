// The control socket: mpctl's requests in, answers and events out, over a unix stream socket with
// 0600 rights; an abstract one, which has no rights, serves its own user and root. One request per
// line, a JSON object such as {"command":"status"}; one answer per line, {"ok":true,...} or
// {"ok":false,"error":"text"}, in the order of the requests.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "common/io/event_loop.hpp"
#include "common/listen/listener_sockets.hpp"

namespace mpb {

/// Carries out a request, and calls `reply` once, now or later (status waits for the workers'
/// counters), with an object that has "ok". A reply may be called, or dropped, at any time: also
/// when the one who asked is gone, and when the control socket is.
using ControlReply = std::function<void(boost::json::object)>;
using OnRequest = std::function<void(const boost::json::object& request, ControlReply reply)>;

/// What one control connection and all of them may cost the broker.
struct ControlLimits {
  std::size_t connections = 64;
  std::size_t line = 64 * 1024;        // bytes of a request, without its newline
  std::size_t json_depth = 8;          // nested objects and arrays
  std::size_t unread = 256 * 1024;     // bytes a connection has not read: no further requests are
                                       // taken from it, and a subscriber is closed
  std::size_t requests_per_turn = 16;  // of one connection
  Duration idle{60'000};               // nothing asked or not all read for so long: closed
  Duration accept_pause{1'000};        // after running out of descriptors
};

class ControlConnection;

/// Handles "events" itself: {"ok":true}, then each event as a line, or with a member "table" each
/// change of that shared table. All else goes to `on_request`.
class ControlSocket final : private EventHandler {
 public:
  ControlSocket(EventLoop& loop, OnRequest on_request, ControlLimits limits = {});
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  /// What is told to a client that has connected and may not ask; empty: it may.
  using Admission = std::function<std::string_view(int client)>;
  void admit_by(Admission refuse) { refuse_ = std::move(refuse); }

  /// Once. A path left behind by a dead broker is replaced; one that is served is an error.
  /// `inherited`: the socket, if a service manager has passed it.
  Status open(const std::string& path, UniqueFd inherited = {});
  /// The same with the socket that a broker before this one has opened at this path.
  Status take_over(const std::string& path, UniqueFd socket);
  /// -1: it is not open.
  [[nodiscard]] int descriptor() const { return listener_ ? listener_->descriptor() : -1; }
  /// Makes the path again, should it have been deleted.
  Status restore_path();
  /// Puts right what others have done to the socket.
  void keep_up();

  /// To all subscribers; never blocks. A subscriber with too much unread is closed.
  void publish(const boost::json::object& event, std::string_view topic = {});
  /// See ControlConnection::subscribed_to.
  [[nodiscard]] bool has_subscriber(std::string_view topic) const;

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  void on_events(std::uint32_t events) override;
  void admit(UniqueFd client);
  /// Tells the next client that there are no descriptors, with the one that is kept for this.
  /// False: there is none.
  bool refuse_one();
  void pause_accept();
  void drop(const ControlConnection& connection);

  EventLoop& loop_;
  const OnRequest on_request_;
  const ControlLimits limits_;
  [[nodiscard]] bool may_ask(int client) const;
  Status serve(Result<ListeningSocket> listener);
  Status watch();
  void unwatch();

  Admission refuse_ = [](int) { return std::string_view(); };
  std::optional<ListeningSocket> listener_;
  ListenerUpkeep upkeep_;
  ListenerReport report_;
  UniqueFd spare_;  // so that one can be told that there are no others
  Watch watch_;
  EventLoop::TimerId accept_timer_{};
  std::vector<std::shared_ptr<ControlConnection>> connections_;
};

}  // namespace mpb
