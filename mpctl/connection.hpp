// mpctl's side of the control socket: blocking, with a time limit.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/base/units.hpp"

namespace mpb::ctl {

class Connection {
 public:
  /// `path` has been checked by read_options. Errors say what to do about them.
  static Result<Connection> open(const std::string& path, Duration limit);

  Status send(const boost::json::object& request);
  /// The next line, without its newline; without a limit it may take for ever.
  Result<std::string> read_line(std::optional<Duration> limit);

 private:
  using Clock = std::chrono::steady_clock;

  Connection(UniqueFd socket, std::string path)
      : socket_(std::move(socket)), path_(std::move(path)) {}
  Status wait_readable(std::optional<Clock::time_point> deadline) const;
  Status receive();

  UniqueFd socket_;
  std::string path_;
  std::string input_;
};

}  // namespace mpb::ctl
