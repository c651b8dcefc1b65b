// What the operator has set for the cells of keys: which of them run otherwise than other workers,
// and how.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/workers/cell_run.hpp"
#include "broker/workers/vhost_set.hpp"
#include "common/base/error.hpp"
#include "common/base/keyed_map.hpp"
#include "common/config/settings.hpp"

namespace mpb {

/// Whether `key` is one that `pattern` means: it is the same, or has what stands before and behind
/// the pattern's '*'.
bool matches(std::string_view pattern, std::string_view key);

class CellPlans {
 public:
  explicit CellPlans(const VhostSet& vhosts) : vhosts_(vhosts) {}

  /// Looks up the accounts of cells, which are used by their names from then on. An error: one is
  /// not there, or this process may not run workers so.
  Status admit(const CellSettings& cell);
  Status admit_all(const Settings& settings);
  /// Takes the place of all [key PATTERN] sections.
  void replace(std::vector<KeySettings> keys);

  /// Null: its cell is as other workers are. Of RTMP the vhost says it, before a key's first '/';
  /// else the section that has the key itself, or the longest pattern of those that match.
  [[nodiscard]] const CellSettings* find(std::string_view protocol, std::string_view key) const;
  /// As of an admitted cell. `by_group`: a control group limits its memory.
  [[nodiscard]] CellRun run(const CellSettings& cell, bool by_group) const;

  /// Some cells are to be limited as only control groups can.
  [[nodiscard]] bool want_groups() const;
  /// The most descriptors that one is to have; 0: none says it.
  [[nodiscard]] std::uint64_t most_descriptors() const;

 private:
  const VhostSet& vhosts_;
  std::vector<KeySettings> keys_;             // those with a '*' last, of these the longest first
  KeyedMap<std::string, std::size_t> exact_;  // of the others the place in keys_
  KeyedMap<std::string, Credentials> accounts_;  // by user and group
};

}  // namespace mpb
