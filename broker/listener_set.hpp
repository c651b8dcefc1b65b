// The listening sockets: opened once by the broker, shared by all workers that accept. The broker
// keeps every socket, so that clients wait in its backlog while a worker is replaced.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/router.hpp"
#include "broker/worker_process.hpp"
#include "common/service_manager.hpp"
#include "common/settings.hpp"
#include "common/unique_fd.hpp"

namespace mpb {

class ListenerSet {
 public:
  struct Listener {
    std::uint16_t number = 0;  // for good: never given to another listener
    ListenerSettings settings;
    RoutingRules rules;
    UniqueFd socket;
    std::string address;     // as bound
    bool inherited = false;  // opened by the service manager, whose path it is
  };

  /// Sockets that a service manager opened: a listener takes the one of its name or address.
  void adopt(std::vector<InheritedSocket> inherited);

  struct Change {
    std::vector<std::uint16_t> offered;    // all there are now: workers are to be told
    std::vector<std::uint16_t> opened;     // those of them that are new or have another address
    std::vector<std::uint16_t> withdrawn;  // gone: workers are to be told
  };
  /// Brings the set in line with `wanted`. All or nothing: on an error nothing has changed.
  Result<Change> apply(const std::vector<ListenerSettings>& wanted);

  /// Listens no more, and removes the paths of unix sockets; what is known of the listeners stays.
  void close_sockets();

  /// Null: no such listener, or one that was withdrawn.
  [[nodiscard]] const Listener* find(std::uint16_t number) const;
  /// True for all numbers that were ever given.
  [[nodiscard]] bool was_given(std::uint64_t number) const { return number < next_number_; }
  [[nodiscard]] const std::map<std::uint16_t, Listener>& all() const { return listeners_; }
  /// What a worker is told; with the socket if `accepts`.
  [[nodiscard]] static ListenerOffer offer(const Listener& listener, bool accepts);

 private:
  [[nodiscard]] const Listener* find_by_name(const std::string& name) const;
  struct Opened {
    UniqueFd socket;
    bool inherited = false;
  };
  Result<Opened> open(const ListenerSettings& settings);
  std::uint16_t space_of(const std::string& protocol);

  std::map<std::uint16_t, Listener> listeners_;
  std::map<std::string, std::uint16_t> spaces_;  // by protocol
  std::vector<InheritedSocket> inherited_;
  std::uint16_t next_number_ = 0;
};

}  // namespace mpb
