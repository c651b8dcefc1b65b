// Which workers accept clients. Each that does is woken for clients that another one gets, so more
// of them than CPUs cost more than they bring (docs/decisions/0038). Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/dispatch/worker_table.hpp"

namespace mpb {

struct AcceptorRules {
  /// How many; two at least, where the others are to go on when one hangs.
  Slot count = 2;
  /// They are slots 0 to count-1, whatever becomes of these; otherwise those that are online.
  bool fixed = false;
  /// One that holds more descriptors of clients, or does not answer in time, accepts only if there
  /// are not enough others.
  std::uint64_t most_held = UINT64_MAX;
};

class AcceptorSet {
 public:
  /// After the rules were changed all workers are to be told anew.
  void set_rules(const AcceptorRules& rules, const WorkerTable& workers);

  [[nodiscard]] Slot count() const { return rules_.count; }
  [[nodiscard]] bool has(Slot slot) const {
    return rules_.fixed ? slot < rules_.count : slot < chosen_.size() && chosen_[slot];
  }
  /// A process is about to start in this slot; it accepts, once it is online, if has() says so.
  void begin(Slot slot, const WorkerTable& workers);
  enum class Choice : std::uint8_t {
    kFill,      // others for those that are away or should not accept now
    kThorough,  // also the first ones again in the place of later ones
  };
  /// The slots for which has() says something else than before. Call it now and then, since one
  /// that is away for a moment need not be replaced, and at once when nobody_accepts().
  std::vector<Slot> choose(const WorkerTable& workers, Choice choice);
  /// There are workers online, and none of the set is online or being started.
  [[nodiscard]] bool nobody_accepts(const WorkerTable& workers) const;

 private:
  [[nodiscard]] bool able(Slot slot, const WorkerTable& workers) const;

  AcceptorRules rules_;
  std::vector<bool> chosen_;  // by slot
};

}  // namespace mpb
