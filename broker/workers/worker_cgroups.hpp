// A control group (cgroups(7), version 2) for each worker process, where this process was given a
// part of the tree: whatever the worker starts is in it, and ends with it at one stroke, however
// fast it forks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "broker/workers/cgroup_division.hpp"
#include "common/base/unique_fd.hpp"

namespace mpb {

/// What the processes of a group may have together.
struct GroupLimits {
  std::uint64_t memory_max = 0;  // bytes; 0: no limit
  std::uint32_t cpu_weight = 0;  // 0: as others
  friend bool operator==(const GroupLimits&, const GroupLimits&) = default;
};

class WorkerCgroups {
 public:
  /// Looks for the group of this process, and whether it may have groups of its own within: those
  /// that dead brokers left there are removed.
  WorkerCgroups();
  WorkerCgroups(const WorkerCgroups&) = delete;
  WorkerCgroups& operator=(const WorkerCgroups&) = delete;
  /// Removes those that are empty.
  ~WorkerCgroups();

  [[nodiscard]] bool available() const { return !folder_.empty(); }
  /// Lets groups that are made from now on limit memory and CPU. Empty: they do; else why not.
  std::string prepare_limits();
  [[nodiscard]] bool can_limit() const { return limits_; }
  /// A group for the next process of this slot: a process that writes "0" there enters it. Invalid:
  /// there is none, or none with these limits.
  UniqueFd enter(Slot slot, const GroupLimits& limits = {});
  /// The process of this slot is in a group that a broker before this one has made for it.
  void take_over(Slot slot, pid_t pid);
  /// Kills all that is in the slot's group.
  void end(Slot slot);
  /// Removes groups that were ended, as soon as they are empty.
  void remove_ended();

 private:
  void remove_stale() const;

  std::string folder_;  // of this process's own group; empty: not its to divide
  std::map<Slot, std::string> groups_;
  std::vector<std::string> ended_;
  std::optional<CgroupDivision> division_;
  bool limits_ = false;
  unsigned made_ = 0;
};

}  // namespace mpb
