// Which requests to web servers are under way, and which wait for a place. Pure: it is given the
// time, and the tickets of requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/keyed_map.hpp"
#include "common/io/event_loop.hpp"
#include "worker/rtmp/access/circuit_breaker.hpp"

namespace mpb::rtmp {

/// Whose request it is.
struct HookPlace {
  std::string server;  // "host:port"
  std::string vhost;   // its section in the configuration
  std::string source;  // whose clients share one part: an address, or a client without one
};

/// Servers do not wait for each other, nor do the vhosts of a server and the sources of a vhost.
/// Places: each server has some, and each of those that share a pool (servers the worker's, vhosts
/// a server's, sources a vhost's) has at most as many as are left in it, so that somebody new finds
/// one. They take turns. Waiting: as long as there is room anybody may; when it is full, the newest
/// request of whoever has most waiting goes for one of somebody who has less.
class HookQueue {
 public:
  static constexpr std::size_t kMaxUnderWay = 256;  // each has a descriptor
  static constexpr std::size_t kMaxOfServer = 64;
  static constexpr std::size_t kMaxOfVhost = kMaxOfServer / 2;  // at one server
  static constexpr std::size_t kMaxOfSource = kMaxOfVhost / 2;  // of one vhost
  static constexpr std::size_t kMaxWaiting = 1'024;

  enum class Entry : std::uint8_t {
    kWaits,   // until next() gives it, leave(), or a failure of the server
    kFull,    // there is no room for it
    kBroken,  // the server does not answer, and is not asked now
  };
  struct Admission {
    Entry entry = Entry::kWaits;
    std::optional<std::uint64_t> displaced;  // waits no more: its room was needed
  };
  /// `ticket`: above all those before.
  Admission enter(std::uint64_t ticket, const HookPlace& place, TimePoint now);
  /// One that waits goes. Others are ignored.
  void leave(std::uint64_t ticket);
  /// The next that is to be sent, if any; it is under way until finish().
  std::optional<std::uint64_t> next();

  enum class Outcome : std::uint8_t {
    kAnswered,
    kFailed,   // the server gave no answer
    kNotSent,  // for want of something here: nobody knows how the server is
  };
  struct News {
    bool opened = false;  // the server's breaker
    bool closed = false;
    std::vector<std::uint64_t> given_up;  // waited for that server, which is not asked any more
  };
  News finish(std::uint64_t ticket, Outcome outcome, TimePoint now);

  /// Of a ticket that waits: whether its server was asked and has answered nobody since `since`.
  [[nodiscard]] bool server_is_mute(std::uint64_t ticket, TimePoint since) const;

  struct ServerState {
    CircuitBreaker breaker;
    std::size_t under_way = 0;
    std::size_t waiting = 0;
  };
  [[nodiscard]] ServerState state_of(const std::string& server) const;
  [[nodiscard]] std::size_t under_way() const { return under_way_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_; }

 private:
  struct Source {
    std::size_t under_way = 0;
    std::set<std::uint64_t> waiting;  // the oldest has the lowest ticket
  };
  struct Vhost {
    std::size_t under_way = 0;
    std::size_t waiting = 0;
    std::map<std::string, Source> sources;  // those with requests
    std::string last;                       // whose turn it was
    std::set<std::pair<std::size_t, std::string>> by_waiting;
  };
  struct Server {
    CircuitBreaker breaker;
    std::optional<std::uint64_t> probe;
    TimePoint answered_at{};
    std::size_t under_way = 0;
    std::size_t waiting = 0;
    std::map<std::string, Vhost> vhosts;  // likewise
    std::string last;
  };
  using VhostName = std::pair<std::string, std::string>;  // of its server, and its own

  Server& server_of(const std::string& name, TimePoint now);
  void forget_idle(TimePoint now);
  [[nodiscard]] bool server_has_place(const Server& server) const;
  static bool vhost_has_place(const Server& server, const Vhost& vhost);
  static bool source_has_place(const Vhost& vhost, const Source& source);
  [[nodiscard]] bool could_start(const Server& server, const HookPlace& place) const;
  static std::uint64_t newest_of(const Vhost& vhost);
  /// The newest request of whoever has most waiting, unless that is the newcomer.
  [[nodiscard]] std::optional<std::uint64_t> victim(const HookPlace& newcomer) const;
  void wait(std::uint64_t ticket, const HookPlace& place, Server& server);
  void wait_no_more(std::uint64_t ticket, const HookPlace& place, Server& server);
  static void drop_if_idle(Server& server, const HookPlace& place);
  std::vector<std::uint64_t> give_up(Server& server);
  std::optional<std::uint64_t> next_of(const std::string& name, Server& server);

  std::map<std::string, Server> servers_;
  std::map<std::string, Server*> waiting_servers_;  // those with requests that wait
  std::string last_;                                // of them, whose turn it was
  KeyedMap<std::uint64_t, HookPlace> places_;       // of all requests
  std::set<std::pair<std::size_t, VhostName>> by_waiting_;
  std::size_t under_way_ = 0;
  std::size_t waiting_ = 0;
  std::size_t forget_at_ = 64;  // so many servers
};

}  // namespace mpb::rtmp
