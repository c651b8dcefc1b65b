// Descriptors that outlive this process: whoever has started it keeps copies and passes them to the
// process that comes after it (sd_notify(3), FDSTORE=1).
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/error.hpp"
#include "common/base/units.hpp"

namespace mpb {

/// Without a holder all of it does nothing.
class DescriptorStore {
 public:
  /// `held`: there is a holder at $NOTIFY_SOCKET.
  explicit DescriptorStore(bool held) : held_(held) {}
  [[nodiscard]] bool held() const { return held_; }

  /// Names: [a-z0-9._-], at most 255 bytes. One that is there already stays there, too: forget it
  /// first.
  Status keep(std::string_view name, int descriptor);
  void forget(std::string_view name);
  /// What was said before is done. Waits for at most `limit`.
  Status confirm(Duration limit);

 private:
  bool held_;
};

}  // namespace mpb
