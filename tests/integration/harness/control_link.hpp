// The other end of the broker's control socket, as mpctl has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/unique_fd.hpp"
#include "tests/integration/harness/timing.hpp"

namespace mpb::test {

class ControlLink {
 public:
  /// Throws std::runtime_error when nobody serves the path.
  explicit ControlLink(const std::string& path);

  void send(std::string_view bytes);
  /// The next line, without its end; empty at the end of the connection or when none came within
  /// `limit` (scaled).
  std::string read_line(Duration limit = kPatience);
  /// One request and its answer; throws when none comes.
  boost::json::object request(const boost::json::object& request);
  /// request() of a command without arguments.
  boost::json::object ask(std::string_view command);
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string received_;
};

/// Subscribes to the broker's events.
class EventStream {
 public:
  explicit EventStream(const std::string& path);

  /// Waits for an event of this name, and of this slot unless negative; gives it, or an empty
  /// object. What came before is kept in seen().
  boost::json::object await(std::string_view name, int slot = -1, Duration limit = kPatience);
  /// The names of all events read so far.
  [[nodiscard]] const std::vector<std::string>& seen() const { return seen_; }

 private:
  ControlLink link_;
  std::vector<std::string> seen_;
};

}  // namespace mpb::test
