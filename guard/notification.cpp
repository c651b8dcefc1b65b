#include "guard/notification.hpp"

#include <algorithm>
#include <cstring>

namespace mpb::guard {

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != ':'; });
}

Notification read_notification(std::string_view text, char* rest) {
  constexpr std::string_view kName = "FDNAME=";
  Notification told;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == "FDSTORE=1") {
      told.stores = true;
    } else if (line == "FDSTOREREMOVE=1") {
      told.removes = true;
    } else if (line == "BARRIER=1") {
      told.barrier = true;
    } else if (line.starts_with(kName)) {
      const std::string_view name = line.substr(kName.size());
      told.name = is_name(name) ? name : std::string_view{};
    } else if (!line.empty() && !line.starts_with("X_") && !line.starts_with("FDPOLL=") &&
               !line.starts_with("MAINPID=")) {
      if (line == "READY=1") told.ready = true;
      if (line == "STOPPING=1") told.stopping = true;
      if (told.rest > 0) rest[told.rest++] = '\n';
      std::memcpy(rest + told.rest, line.data(), line.size());
      told.rest += line.size();
    }
  }
  return told;
}

}  // namespace mpb::guard
