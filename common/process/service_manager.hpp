// What systemd and a service say to each other (sd_notify(3), sd_listen_fds(3)), without its
// library. Without systemd all of it does nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/base/units.hpp"

namespace mpb {

/// Sends "READY=1", "STATUS=...", ..., one a line, to $NOTIFY_SOCKET, if there is one. What is not
/// plain in them is escaped (common/base/plain_text.hpp); a value has no line end in it.
void notify_service_manager(std::string_view assignments);

/// The same with a descriptor (-1: without), as FDSTORE=1 and BARRIER=1 have one; `text` is sent as
/// it is. Waits at most `limit` for room. An error: nothing was sent.
Status send_to_service_manager(std::string_view text, int descriptor, Duration limit);

/// What to send after a reload that failed. Every user of the machine may read it, not so the log:
/// no word of the file is in it.
std::string told_of_failed_reload(std::size_t problems);

/// How often the manager wants to hear WATCHDOG=1: half of $WATCHDOG_USEC, if that is for us.
std::optional<Duration> watchdog_interval();

/// What the manager has opened for us.
struct PassedDescriptor {
  UniqueFd descriptor;
  std::string name;  // $LISTEN_FDNAMES; empty: none given
};
/// Takes what $LISTEN_FDS names, once; the variables are unset, so that no child takes them too.
std::vector<PassedDescriptor> take_passed_descriptors();

}  // namespace mpb
