// What a broker that has taken over decides of the clients that were on their way under the one
// before it: reports of all its workers come in, and what each origin is to be told comes out.
// Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "broker/dispatch/seal.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

class Resync {
 public:
  /// `handoff_window`: handoffs without a verdict that an honest worker may have.
  Resync(Seal seal, std::uint32_t handoff_window) : seal_(seal), window_(handoff_window) {}

  /// The worker lives, and will report.
  void expect(const Party& worker) { missing_[worker.slot] = worker; }
  /// A worker of the broker before, or several, cannot report any more: whatever was sent there may
  /// have been read.
  void lose() { uncertain_ = true; }

  /// A part of a worker's report. Why it must be ejected for it; empty: it need not.
  std::string_view report(Slot slot, const channel::ResyncReport& part);
  /// Its process has ended.
  void gone(Slot slot);

  /// The worker has not reported to the end.
  [[nodiscard]] bool expects(Slot slot) const { return missing_.contains(slot); }
  [[nodiscard]] bool complete() const { return missing_.empty(); }

  /// What an origin is to be told.
  struct Verdicts {
    std::vector<std::uint64_t> settled;
    std::vector<channel::NackEntry> nacks;
  };
  /// By origin; once, when complete.
  std::map<Slot, Verdicts> take();

 private:
  struct Adoption {
    Slot origin;
    std::uint64_t handoff;
    friend auto operator<=>(const Adoption&, const Adoption&) = default;
  };

  Seal seal_;
  std::uint32_t window_;
  std::map<Slot, Party> missing_;
  std::map<Slot, std::vector<std::uint64_t>> unsettled_;  // by origin
  std::set<Adoption> adopted_;
  bool uncertain_ = false;
};

}  // namespace mpb
