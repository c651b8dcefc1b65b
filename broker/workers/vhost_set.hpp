// The vhosts as they are configured and as the operator has changed them since, and as the workers
// are told of them. The broker itself goes by what they say of cells alone.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/keyed_map.hpp"
#include "common/config/option_rules.hpp"
#include "common/config/settings.hpp"

namespace mpb {

/// What is different, in the words of channel::Vhosts: texts that each fit one message.
struct VhostChange {
  std::vector<std::string> set;      // sections of vhosts that are new or have changed
  std::vector<std::string> removed;  // names of others, one a line
  std::vector<Warning> warnings;     // for the operator, not for workers
};

class VhostSet {
 public:
  /// Those of a configuration, which has been checked. What the operator has changed before is
  /// gone. Nothing: nothing is different, and no worker need be told.
  std::optional<VhostChange> replace(std::vector<VhostSettings> vhosts);

  /// Asked before a vhost is changed: an error says why its cell cannot be run so.
  void admit_cells_by(std::function<Status(const CellSettings&)> admit) {
    admit_cell_ = std::move(admit);
  }
  /// Gives the keys `unset` of a vhost their defaults, then sets "KEY=VALUE" texts. It is made if
  /// it is not there. An error has changed nothing. `settings` are those of the broker, for what
  /// must hold between the two. What it costs does not depend on how many vhosts there are.
  Result<VhostChange> change(std::string_view name, std::span<const std::string> assignments,
                             std::span<const std::string> unset, const Settings& settings);
  Result<VhostChange> remove(std::string_view name, const Settings& settings);

  [[nodiscard]] bool empty() const { return vhosts_.empty(); }
  /// What the operator has changed since the last configuration: sections by name; empty ones of
  /// vhosts that are no more.
  [[nodiscard]] const std::map<std::string, std::string>& changes() const { return changes_; }
  /// Changes so what was configured before. What cannot be read is left out, and so is what does
  /// not fit the configuration any more: why, for each.
  std::vector<std::string> resume(const std::map<std::string, std::string>& changes,
                                  const Settings& settings);
  /// All of them, put together for a worker that is told of them for the first time.
  [[nodiscard]] std::vector<std::string> texts() const;
  /// Of the vhost that serves clients of this name: its own, else the longest wildcard's. Null: its
  /// cell is as other workers are.
  [[nodiscard]] const CellSettings* cell_of(std::string_view name) const;
  /// Whether `is` is true of one.
  template <class F>
  bool any_cell(F&& is) const {
    return totals_.cells > 0 && std::ranges::any_of(vhosts_, [&is](const Vhost& vhost) {
             return is(vhost.settings.cell);
           });
  }

 private:
  /// Whether a vhost may be so by the operator's word; what its `assignments` are warned of.
  [[nodiscard]] Result<std::vector<Warning>> judge(const VhostSettings& vhost,
                                                   std::span<const std::string> assignments,
                                                   const Settings& settings) const;

  struct Vhost {
    VhostSettings settings;
    std::string text;  // its section
  };
  /// What bounds and rules are about, of all vhosts.
  struct Totals {
    std::size_t vhosts = 0;
    std::size_t size = 0;       // of their texts
    std::size_t relayed = 0;    // how many say so themselves
    std::size_t forwarded = 0;  // how many others have upstreams
    std::size_t cells = 0;      // how many say how their cells are run

    void add(const Vhost& vhost);
    void take(const Vhost& vhost);
  };

  /// Null: there is none of that name (normalised).
  Vhost* find(std::string_view name);
  Vhost& put(VhostSettings settings, std::string text);
  void take(std::string_view name);
  [[nodiscard]] static Status check(const Totals& totals, const Settings& settings);

  std::vector<Vhost> vhosts_;
  KeyedMap<std::string, std::size_t> places_;  // in vhosts_, by name
  Totals totals_;
  std::map<std::string, std::string> changes_;
  std::function<Status(const CellSettings&)> admit_cell_;
};

}  // namespace mpb
