// A datagram of sd_notify(3): what it asks the guard to do, and what is for whoever guards the
// guard.
#pragma once

#include <cstddef>
#include <string_view>

namespace mpb::guard {

/// The longest datagram that is read.
inline constexpr std::size_t kMaxNotification = 4'096;
/// The longest name of a kept descriptor.
inline constexpr std::size_t kMaxName = 47;

struct Notification {
  bool stores = false;    // FDSTORE=1: the descriptors that came along are to be kept
  bool removes = false;   // FDSTOREREMOVE=1: those kept under the name are not needed any more
  bool barrier = false;   // BARRIER=1: whoever sent it waits until what came along is closed
  bool ready = false;     // READY=1
  bool stopping = false;  // STOPPING=1
  std::string_view name;  // FDNAME=; empty: none that can be a name
  std::size_t rest = 0;   // bytes of what is to be passed on
};

/// Whether a descriptor may be kept under this name: printable ASCII without ':'.
bool is_name(std::string_view name);

/// Lines that are not for the guard go to `rest`, which has room for all of `text`. Views point
/// into `text`. What is not understood is passed on; X_... is for nobody but says that the sender
/// lives.
Notification read_notification(std::string_view text, char* rest);

}  // namespace mpb::guard
