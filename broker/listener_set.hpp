// The listening sockets: opened once by the broker, shared by all workers that accept. The broker
// keeps every socket, so that clients wait in its backlog while a worker is replaced. A listener of
// several addresses is one here for each of them, with the same name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/dispatch/router.hpp"
#include "broker/workers/worker_process.hpp"
#include "common/config/settings.hpp"
#include "common/listen/listener_sockets.hpp"

namespace mpb {

class ListenerSet {
 public:
  struct Listener {
    std::uint16_t number = 0;  // for good: never given to another listener
    ListenerSettings settings;
    RoutingRules rules;
    Endpoint wanted;  // one of `settings.endpoints`, unless the service manager chose
    SharedSocket socket;
    std::string address;      // as bound
    std::string prefix_from;  // of `settings`, as it goes to the workers
    ListenerUpkeep upkeep{};
  };

  /// Sockets that a service manager passed, for the listeners of the first apply().
  void adopt(std::vector<std::vector<ClaimedSocket>> inherited) {
    inherited_ = std::move(inherited);
  }

  /// Those of a broker before this one, for the first apply(): each with its socket, or without one
  /// if it cannot be had.
  struct Left {
    std::uint16_t number = 0;
    ListenerSettings settings;  // by which it is known again
    Endpoint wanted;
    UniqueFd socket;
  };
  void resume(std::vector<Left> left, std::map<std::string, std::uint16_t> spaces,
              std::uint16_t next_number);

  struct Change {
    std::vector<std::uint16_t> current;    // all there are now: workers are to be told
    std::vector<std::uint16_t> opened;     // those of them that are new or have another address
    std::vector<std::uint16_t> withdrawn;  // gone: workers are to be told
  };
  /// Brings the set in line with the listeners of `settings`, whose names are looked up. A unix
  /// path that was deleted is made again. All or nothing: on an error nothing has changed.
  Result<Change> apply(const Settings& settings);

  /// A worker that accepted here has ended otherwise than it was told to: whatever it did to the
  /// sockets, they are made anew, by the next calls of keep_up().
  void distrust();
  /// Puts right what others have done to some of the sockets; all have their turn. The numbers of
  /// listeners that have other sockets now: workers are to be told. `let_go` is called before a
  /// socket is closed for that.
  std::vector<std::uint16_t> keep_up(TimePoint now, const std::function<void()>& let_go = {});

  /// Listens no more, and removes the paths of unix sockets; what is known of the listeners stays.
  void close_sockets();

  /// Null: no such listener, or one that was withdrawn.
  [[nodiscard]] const Listener* find(std::uint16_t number) const;
  /// True for all numbers that were ever given.
  [[nodiscard]] bool was_given(std::uint64_t number) const { return number < next_number_; }
  [[nodiscard]] const std::map<std::uint16_t, Listener>& all() const { return listeners_; }
  [[nodiscard]] const std::map<std::string, std::uint16_t>& spaces() const { return spaces_; }
  [[nodiscard]] std::uint16_t next_number() const { return next_number_; }
  /// Whose keys those of this space are; empty: nobody's.
  [[nodiscard]] std::string protocol_of(std::uint16_t space) const;
  /// What a worker is told; with the sockets if `accepts`: first one that was replaced, for the
  /// clients who wait there. `spread`: not all workers accept, and clients without a key are to
  /// reach all.
  [[nodiscard]] static std::vector<ToldListener> for_worker(const Listener& listener, bool accepts,
                                                            bool spread);
  /// Those from which clients come.
  [[nodiscard]] std::vector<int> sockets() const;

 private:
  Result<std::vector<ListenerSocket>> sockets_for(const ListenerSettings& listener,
                                                  const SocketSetup& setup,
                                                  std::vector<ClaimedSocket> claimed);
  /// Those of a listener that has not changed its address; empty: it has, or a path is gone.
  [[nodiscard]] std::vector<ListenerSocket> sockets_before(const ListenerSettings& listener) const;
  [[nodiscard]] SharedSocket find_socket(const ListenerSettings& listener,
                                         const Endpoint& endpoint) const;
  Listener make_listener(const ListenerSettings& settings, ListenerSocket socket);
  /// Gives each its number: that of the listener whose clients it goes on with, or a new one.
  void number(std::vector<Listener>& fresh);
  /// Takes over what goes on for the sockets that stay.
  void keep_upkeep(std::vector<Listener>& fresh);
  [[nodiscard]] Change difference(const std::vector<Listener>& fresh) const;
  std::uint16_t space_of(const std::string& protocol);

  std::map<std::uint16_t, Listener> listeners_;
  std::map<std::string, std::uint16_t> spaces_;        // by protocol
  std::vector<std::vector<ClaimedSocket>> inherited_;  // by listener; taken by the first apply()
  std::uint16_t next_number_ = 0;
  std::uint16_t kept_up_ = 0;  // where keep_up() goes on
  ListenerReport report_;
};

}  // namespace mpb
