// Lets the groups within a control group (cgroups(7), version 2) limit what their processes have:
// the kernel asks that no process is in the group itself, so this one goes into a group within it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mpb {

class CgroupDivision {
 public:
  /// `folder`: of a group that is this process's to divide. `own`: the name of the group within it
  /// that its processes go to.
  CgroupDivision(std::string folder, const std::string& own)
      : folder_(std::move(folder)), own_(folder_ + '/' + own) {}
  CgroupDivision(const CgroupDivision&) = delete;
  CgroupDivision& operator=(const CgroupDivision&) = delete;
  /// Puts it back, as far as no other groups are left.
  ~CgroupDivision();

  /// Empty: groups that are made from now on have these controllers. Else why not; nothing has
  /// changed.
  std::string enable(std::span<const std::string_view> controllers);

 private:
  [[nodiscard]] bool write_controllers(std::span<const std::string_view> controllers, char sign);
  /// All processes of one group to another.
  static bool move_all(const std::string& from, const std::string& to);

  std::string folder_;
  std::string own_;
  std::string enabled_;  // as it is written to take them back
  bool moved_ = false;
};

/// Writes a file of a control group, which takes it whole or not at all. False: errno says why.
bool write_group_file(const std::string& path, std::string_view text);

}  // namespace mpb
