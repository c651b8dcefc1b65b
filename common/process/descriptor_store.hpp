// Descriptors that outlive this process: whoever started it holds copies, and passes them to the
// process that comes after it (sd_notify(3): FDSTORE=1). mpguard is such a holder, and systemd.
#pragma once

#include <optional>
#include <string_view>

#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb {

/// Who holds: $MPBROKER_HOLDER. mpguard says so itself, for systemd the unit does.
enum class Holder { kGuard, kSystemd };
std::optional<Holder> holder();
/// Whether the variable says anything; "none", for example: whoever started this process watches
/// it.
bool was_told_of_holder();

/// What all names of ours begin with; what is passed without it is for socket activation.
inline constexpr std::string_view kHeldPrefix = "mpb-";
/// Of the state, which whoever keeps anything keeps first.
inline constexpr std::string_view kHeldState = "mpb-state";

/// Whether the holder has passed anything that a process before this one gave it. Until
/// take_passed_descriptors().
bool follows_another();

/// Without a holder all of it does nothing.
class DescriptorStore {
 public:
  explicit DescriptorStore(bool held) : held_(held) {}

  [[nodiscard]] bool held() const { return held_; }
  /// Names: [a-z0-9._-], at most 47 bytes. Two of one name are both kept: forget the first before.
  Status keep(std::string_view name, int descriptor);
  /// All of this name.
  void forget(std::string_view name);
  /// Waits until what was said before is done.
  Status confirm(Duration limit);

 private:
  bool held_;
};

}  // namespace mpb
