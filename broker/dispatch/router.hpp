// Which worker a client goes to: pins, owners, then the policy. The only place that assigns keys.
// Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/seal.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "common/base/keyed_map.hpp"
#include "common/config/settings.hpp"

namespace mpb {

/// What a listener's clients are routed by.
struct RoutingRules {
  std::uint16_t space = 0;  // of their keys
  Policy policy = Policy::kLeast;
  Overflow overflow = Overflow::kSpill;
  bool sticky = true;
  Isolation isolate = Isolation::kNo;
  IsolateOverflow isolate_overflow = IsolateOverflow::kShare;
};

using RouteLink =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A key that has an owner. Stays where it is in memory as long as it exists.
struct Route : RouteLink {
  Slot owner = kNoSlot;
  std::uint32_t epoch = 0;      // of this ownership: unique among all keys
  std::uint32_t in_flight = 0;  // clients of the key on their way to the owner
  bool held = false;            // the owner took a client of it, and did not give it up since
  Slot origin = kNoSlot;        // who named it first
  const std::string* name = nullptr;
};

struct RouteRequest {
  Slot origin = kNoSlot;
  std::string_view key;  // empty: any worker will do
  const RoutingRules* rules = nullptr;
  bool counted = false;  // the origin serves it already: it has room for this one
  bool again = false;    // it was told to come again
  TimePoint now{};
};

struct RouteDecision {
  enum class Kind : std::uint8_t {
    kTo,    // `slot` gets the client; it owns the key if `route` is not null
    kWait,  // for room, for a worker that starts, or for credit
    kFull,  // those of `places`, which alone may take it, have no room as far as is known
    kBusy,  // nobody can take it
  };
  Kind kind = Kind::kBusy;
  Slot slot = kNoSlot;
  Route* route = nullptr;
  std::span<const Slot> places{};  // until the next decision
  bool for_cell = false;           // kWait: for a cell to be online, `slot` or one that is nobody's
};

/// An owner that lost a key while its worker lives: it must be told (Disown), after all that was
/// sent to it before, what waits in its Outbox included: a Keep would make it the owner again.
struct Disowned {
  Slot slot = kNoSlot;
  std::uint16_t space = 0;
  std::uint32_t epoch = 0;
  std::string key;
};

class Router {
 public:
  /// `max_keys` bounds memory, too: a key counts for one, and for another one for each 128 bytes of
  /// its name. Where half of them are in use, no worker gets more than its share of the rest, be it
  /// as their owner or as who named them first. `seed` drives p2c alone. Without `cells` nobody is
  /// isolated.
  Router(const WorkerTable& workers, std::size_t max_keys, std::uint64_t seed,
         CellSet* cells = nullptr)
      : workers_(workers), cells_(cells), max_keys_(max_keys), random_(seed) {}

  /// How many workers clients come to, and so name keys. Unset: all.
  void set_origins(std::size_t count) { origins_ = count; }

  /// Epochs are such that they are known again, instead of numbers that count up.
  void set_seal(const Seal& seal) { seal_ = seal; }
  /// Those of a broker before this one are not given again at once.
  void set_next_epoch(std::uint32_t epoch) { next_epoch_ = epoch; }
  [[nodiscard]] std::uint32_t next_epoch() const { return next_epoch_; }
  enum class Claim : std::uint8_t {
    kRight,   // it owns the key from now on
    kDenied,  // another has the key, or pins or max-keys do not allow it: it is to be told (Disown)
    kForged,  // it never was given the key
  };
  /// What a worker owned under a broker before this one. With a seal alone.
  Claim claim(Slot slot, std::uint16_t space, std::string_view key, std::uint32_t epoch,
              TimePoint now);

  RouteDecision decide(const RouteRequest& request);

  /// The owner has no clients of the key any more and gives it up. Ignored when the ownership is
  /// not this one; put off when clients of the key are on their way to the owner.
  /// False: there is no such ownership.
  bool release(Slot slot, std::uint16_t space, std::string_view key, std::uint32_t epoch);
  /// A client on its way to the owner was not taken, and is not counted by `route` any more.
  /// Without others, a key that the owner does not hold is nobody's again; `route` may be gone
  /// then.
  void not_taken(Route& route);
  /// All keys of a worker that is gone or drains lose their owner.
  void forget_owner(Slot slot);

  /// Pins `key` ("*": every other key of the space) to `slots`; empty: no pin. Returns the owners
  /// that lose a key by it. When setting several, "*" comes last: it takes no pinned key.
  std::vector<Disowned> pin(std::uint16_t space, const std::string& key, std::vector<Slot> slots);

  [[nodiscard]] std::size_t key_count() const { return routes_.size(); }
  [[nodiscard]] std::size_t keys_of(Slot slot) const;
  [[nodiscard]] const Route* find(std::uint16_t space, std::string_view key);

 private:
  using Routes = KeyedMap<std::string, Route>;
  using Pins = KeyedMap<std::string, std::vector<Slot>>;
  /// A route that is erased leaves its list by itself.
  using RouteList = boost::intrusive::list<Route, boost::intrusive::constant_time_size<false>>;

  [[nodiscard]] const std::vector<Slot>* pinned(const std::string& name, std::uint16_t space) const;
  /// Nothing: it is to be served as if nobody were isolated.
  std::optional<RouteDecision> isolate_key(const RouteRequest& request);
  std::optional<RouteDecision> isolate_client(const RouteRequest& request);
  RouteDecision to_owner(const RouteRequest& request, Route& route);
  RouteDecision without_room(const RouteRequest& request, const std::vector<Slot>* allowed);
  RouteDecision spill(const RouteRequest& request, Slot full_owner);
  [[nodiscard]] bool has_room(const RouteRequest& request, Slot slot) const;
  /// kNoSlot when none of `allowed` (null: all) has room, and room for a key if it is to `own` one.
  Slot choose(const RouteRequest& request, const std::vector<Slot>* allowed, Slot except,
              bool own = false);
  Slot choose_least(const std::vector<Slot>& candidates, Slot origin) const;
  Slot choose_hash(const std::vector<Slot>& candidates, std::string_view key) const;
  Slot choose_p2c(const std::vector<Slot>& candidates, Slot origin);
  Route& make_route(Slot owner, Slot origin);
  Routes::iterator erase(Routes::iterator route);
  /// What keys cost, in all and by slot; see the constructor.
  struct KeyUse {
    std::size_t total = 0;
    std::vector<std::size_t> owned;
    std::vector<std::size_t> named;
  };
  void count(const Route& route, bool here);
  /// Whether a worker that has used so much of max_keys may have another key.
  /// `sharers`: among how many the keys are shared, unless fewer workers run.
  [[nodiscard]] bool within_share(const std::vector<std::size_t>& used, Slot slot,
                                  std::size_t sharers) const;
  /// Takes the key from an owner that its pins do not allow; returns the next route.
  Routes::iterator check_pins(Routes::iterator route, std::vector<Disowned>& losers);

  const WorkerTable& workers_;
  CellSet* cells_;
  std::size_t max_keys_;
  std::size_t origins_ = SIZE_MAX;
  std::mt19937_64 random_;
  KeyUse use_;                              // of those in routes_
  Routes routes_;                           // by space (2 bytes) and key
  std::vector<RouteList> of_owners_;        // those in routes_, by slot
  Pins pins_;                               // by the same
  std::vector<Routes::node_type> revoked_;  // by a pin, while clients were on their way
  std::map<std::uint16_t, std::vector<Slot>> default_pins_;
  std::uint32_t next_epoch_ = 1;
  std::optional<Seal> seal_;
  std::string name_;              // scratch: the name looked up
  std::vector<Slot> candidates_;  // scratch
  Slot full_owner_ = kNoSlot;     // scratch: where `places` points
};

}  // namespace mpb
