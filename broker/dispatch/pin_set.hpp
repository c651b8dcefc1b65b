// The pins there are: those of the configuration, and those that the operator has set or taken away
// since, which win. Says what a change means for the router, pin by pin. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/dispatch/worker_table.hpp"

namespace mpb {

class PinSet {
 public:
  /// A key of a space.
  using Place = std::pair<std::uint16_t, std::string>;
  /// By place; a pin to no slot is none.
  using Pins = std::map<Place, std::vector<Slot>>;
  /// For the router, in this order.
  using Changes = std::vector<std::pair<Place, std::vector<Slot>>>;

  /// Those of a configuration take the place of those of the one before; the operator's stay.
  Changes configure(Pins pins);
  /// The operator's word for one key. Without slots: it has no pin, also if the configuration says
  /// so.
  Changes set(const Place& place, std::vector<Slot> slots);

  /// By the operator's word; without slots: he has taken it away.
  [[nodiscard]] const Pins& operators() const { return operators_; }

  [[nodiscard]] bool has(const Place& place) const { return !slots_of(place).empty(); }

 private:
  [[nodiscard]] const std::vector<Slot>& slots_of(const Place& place) const;

  Pins configured_;
  Pins operators_;
};

}  // namespace mpb
