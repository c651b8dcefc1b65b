// A listening socket as a server keeps it: with the path it made, what it was set to, and the means
// to put it right when another process that shares it has changed it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/config/keep_alive.hpp"
#include "common/io/endpoint.hpp"
#include "common/io/owned_path.hpp"
#include "common/io/socket_options.hpp"

namespace mpb {

struct SocketSetup {
  int backlog = 4096;
  unsigned mode = 0666;  // permissions of a unix path
  KeepAlive keepalive;   // of the clients, who inherit it; not for unix sockets
  /// Also end a client that takes no data for KeepAlive::patience(), as one that has vanished does.
  bool unread_ends = true;
};

class ListeningSocket {
 public:
  /// Binds and listens. The error says who holds the address, and what to do.
  static Result<ListeningSocket> open(const Endpoint& endpoint, const SocketSetup& setup);
  /// One that a service manager has bound, whose path stays its own.
  static Result<ListeningSocket> adopt(UniqueFd socket, const SocketSetup& setup);

  /// One that a process before this one has opened so, and whose path is this one's by now.
  static Result<ListeningSocket> take_over(UniqueFd socket, const Endpoint& endpoint,
                                           const SocketSetup& setup);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  /// As bound: with the port that the kernel chose.
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] bool inherited() const { return path_ == nullptr; }

  /// Other settings; the mode is for paths that are made from now on.
  void set_up(const SocketSetup& setup);

  struct Upkeep {
    std::string changed;  // what was put right, names between commas; empty: all was well
    bool spoilt = false;  // something cannot be put right: renew() it
  };
  /// Looks what others have done to the socket and undoes it. A TCP socket that was shut down
  /// listens again.
  Upkeep keep_up();
  enum class Renewal : std::uint8_t {
    kGentle,      // only if nobody is refused meanwhile
    kAtAnyPrice,  // else the old one is shut down first, and clients that wait there are reset
  };
  /// Takes another socket for the same address. What it gives is the old one, from which those are
  /// to be accepted who came before; nobody new comes there. Invalid: it served nobody any more. On
  /// an error nothing has changed, or, at any price, it is to be tried again.
  Result<UniqueFd> renew(Renewal how);
  /// Of the path, if this has made one.
  [[nodiscard]] OwnedPath::State path_state() const;

  /// Listens no more, and removes its path.
  void close();

 private:
  ListeningSocket(UniqueFd socket, Endpoint address, SocketSetup setup);
  void apply_setup();
  [[nodiscard]] bool serves() const;
  Result<UniqueFd> renew_port();
  Result<UniqueFd> renew_path();
  /// `fresh` is bound, and what it is set to remembered; gives the old one.
  UniqueFd take(UniqueFd fresh);
  /// False: it does not listen, nor can it be made to.
  bool listens_again(std::string& changed);

  UniqueFd socket_;
  Endpoint address_;
  SocketSetup setup_;
  std::unique_ptr<OwnedPath> path_;  // null: inherited
  SocketOptions options_;
};

/// Makes a TCP socket listen that somebody has shut down (or connected). True: it was not.
bool revive_listener(int socket, int backlog);

}  // namespace mpb
