// What an operator can set, as values. common/config/options.hpp reads them from a command line and
// a file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/units.hpp"
#include "common/config/cell_settings.hpp"
#include "common/config/keep_alive.hpp"
#include "common/config/vhost_settings.hpp"
#include "common/config/worker_settings.hpp"
#include "common/io/endpoint.hpp"
#include "common/log/log.hpp"
#include "proto/protocols.hpp"

namespace mpb {

/// Which worker a key without an owner goes to.
enum class Policy : std::uint8_t {
  kLeast,  // the least loaded
  kHash,   // rendezvous hashing of the key over the slots
  kP2c,    // the less loaded of two drawn at random
  kLocal,  // the one that accepted the client
};

/// What happens to a client whose key's owner is full.
enum class Overflow : std::uint8_t {
  kSpill,   // another worker serves it; the owner stays the owner
  kRefuse,  // it is refused
};

/// Where the boundary of a process runs: what a cell serves.
enum class Isolation : std::uint8_t {
  kNo,      // keys share workers
  kKey,     // a key's clients have a process of their own
  kClient,  // each client has
};

/// What happens to a client who should get a cell when max-workers leaves none.
enum class IsolateOverflow : std::uint8_t {
  kShare,   // a shared worker serves it, by the policy
  kRefuse,  // it is refused
};

/// "KEY=SLOT[,SLOT...]": clients of the key go to these slots only. KEY "*" stands for every key
/// that has no pin of its own.
struct Pin {
  std::string key;
  std::vector<std::uint16_t> slots;
  friend bool operator==(const Pin&, const Pin&) = default;
};

/// What a worker gives up once it is ready: see docs/security.md.
enum class Sandbox : std::uint8_t { kStrict, kNo };

/// How worker processes come to be.
enum class Spawn : std::uint8_t {
  kAuto,    // as kZygote, where there may be extra workers and the worker program can
  kZygote,  // forked by a zygote; by exec while there is none
  kExec,    // each by exec
};

/// What workers do when the broker has died and none follows it.
enum class OnBrokerDeath : std::uint8_t {
  kDrain,  // they drain, and end
  kServe,  // they serve the clients that they have to their end
};

/// What may come before a client's own first byte, to tell its address.
enum class ClientPrefix : std::uint8_t {
  kNone,
  kProxy,      // the PROXY protocol, version 1 or 2: every client begins with it
  kSrsRealIp,  // SRS's 0xF3 prefix: a client may begin with it
};

struct ListenerSettings {
  std::string name;
  std::string listen;               // as written
  std::vector<Endpoint> endpoints;  // what that means; of a host name none until it is looked up
  std::string protocol = "control";
  std::string handler;  // empty: the protocol's own
  Policy policy = Policy::kLeast;
  std::optional<Overflow> overflow;  // unset: see overflow_rule()
  bool sticky = true;
  Isolation isolate = Isolation::kNo;
  IsolateOverflow isolate_overflow = IsolateOverflow::kShare;
  Duration rollover{0};  // isolate = key: a cell that old ends as soon as it is empty; 0: never
  KeyGranularity key = KeyGranularity::kVhost;  // protocol rtmp
  ClientPrefix prefix = ClientPrefix::kNone;    // protocol rtmp
  std::vector<Network> prefix_from;             // who is believed when it sends a prefix
  std::vector<Pin> pins;
  int backlog = 4096;
  unsigned mode = 0666;  // permissions of a unix socket
  KeepAlive keepalive;

  /// What belongs to an RTMP key, its streams, is in its owner alone.
  [[nodiscard]] Overflow overflow_rule() const {
    return overflow.value_or(protocol == "rtmp" ? Overflow::kRefuse : Overflow::kSpill);
  }
};

struct Settings : WorkerSettings {
  std::vector<ListenerSettings> listeners;
  std::vector<VhostSettings> vhosts;
  std::vector<KeySettings> keys;

  // workers
  std::uint16_t workers = 2;                 // always there; 0: single process
  std::optional<std::uint16_t> max_workers;  // unset: as many as `workers`
  std::optional<std::uint16_t> acceptors;    // the first N slots accept; unset: auto
  std::uint16_t spare_workers = 0;           // cells that wait ready for a key or client
  std::uint32_t max_failures = 0;   // of a key's cells in a row, then it is closed; 0: none
  Duration recovery_time{300'000};  // for so long
  std::uint32_t grow_at = 100;      // start another worker at this % of the limit
  Duration linger{30'000};          // an extra worker empty for so long is retired
  Duration start_timeout{10'000};
  Duration ping_interval{1'000};
  Duration ping_limit{5'000};                   // without an answer for so long a worker is hung
  Duration answer_timeout{2'000};               // for the answers of all workers to the operator
  std::string worker_program;                   // empty: mpworker beside this program, else in PATH
  std::string user;                             // workers run as, one or a range; empty: unchanged
  std::string group;                            // empty: the user's own group
  std::vector<std::string> worker_environment;  // NAME or NAME=VALUE, besides what all are given
  std::uint32_t max_keys = 4'000'000;           // bound of the routing table

  Sandbox sandbox = Sandbox::kStrict;
  Spawn spawn = Spawn::kAuto;
  bool guard = true;
  bool workers_deny = false;  // workers may change the tables deny and allow
  OnBrokerDeath on_broker_death = OnBrokerDeath::kDrain;

  // operation
  std::string control_socket;  // path of the control socket; empty: none
  LogLevel log_level = LogLevel::kInfo;

  [[nodiscard]] std::uint16_t worker_limit() const { return max_workers.value_or(workers); }
  /// Some listener's clients get cells.
  [[nodiscard]] bool isolates() const {
    return std::any_of(listeners.begin(), listeners.end(), [](const ListenerSettings& listener) {
      return listener.isolate != Isolation::kNo;
    });
  }
  [[nodiscard]] std::uint16_t acceptor_count() const { return acceptors.value_or(UINT16_MAX); }
};

}  // namespace mpb
