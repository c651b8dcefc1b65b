#include "mpctl/connection.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <boost/json/serialize.hpp>

#include "common/io/endpoint.hpp"

namespace mpb::ctl {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;

bool is_other_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode);
}

Error connect_error(const std::string& path) {
  const int code = errno;
  const auto explain = [&](std::string_view why) {
    return unavailable_error(fmt::format("cannot reach the broker at '{}': {}", path, why));
  };
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return explain(
          "there is no such socket: is mpbroker running, with this path as its --control-socket?");
    case ECONNREFUSED:
      if (is_other_file(path)) {
        return explain("it is no socket: expected the --control-socket of mpbroker");
      }
      return explain("nobody serves it: mpbroker is not running");
    case EACCES:
    case EPERM:
      return explain("no permission: run mpctl as the user that mpbroker runs as, or as root");
    case EAGAIN:
      return explain("it does not accept connections: mpbroker hangs or is flooded");
    default:
      return explain(std::strerror(code));
  }
}

void limit_sends(int socket, Duration limit) {
  const auto ms = limit.count();
  const timeval time{ms / 1000, (ms % 1000) * 1000};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

}  // namespace

Result<Connection> Connection::open(const std::string& path, Duration limit) {
  const auto endpoint = parse_endpoint("unix:" + path);
  if (!endpoint) return endpoint.error();
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("socket");
  limit_sends(socket.get(), limit);  // holds for connect too
  if (::connect(socket.get(), endpoint->data(), endpoint->length) != 0) {
    return connect_error(path);
  }
  return Connection(std::move(socket), path);
}

Status Connection::send(const boost::json::object& request) {
  const std::string line = boost::json::serialize(request) + '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t size = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    // Closed by the broker, which may have said why: that is there to be read.
    if (size < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
    if (size < 0) return system_error(fmt::format("cannot send to the broker at '{}'", path_));
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

Result<std::string> Connection::read_line(std::optional<Duration> limit) {
  std::optional<Clock::time_point> deadline;
  if (limit) deadline = Clock::now() + *limit;
  std::size_t searched = 0;
  for (;;) {
    const auto end = input_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      return line;
    }
    searched = input_.size();
    if (searched > kMaxAnswer) return limit_error("the broker's answer is too long");
    if (const Status ready = wait_readable(deadline); !ready) return ready.error();
    if (const Status received = receive(); !received) return received.error();
  }
}

Status Connection::wait_readable(std::optional<Clock::time_point> deadline) const {
  for (;;) {
    int wait = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<Duration>(*deadline - Clock::now());
      wait = static_cast<int>(std::max(left, Duration{0}).count());
    }
    pollfd poll{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&poll, 1, wait);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return system_error("poll");
    if (ready == 0) {
      return unavailable_error(
          fmt::format("the broker at '{}' did not answer in time: it hangs, or is stopped", path_));
    }
  }
}

Status Connection::receive() {
  std::array<char, 64 * 1024> bytes;  // NOLINT(*-member-init): the kernel fills it
  const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (size > 0) {
    input_.append(bytes.data(), static_cast<std::size_t>(size));
    return {};
  }
  if (size < 0 && errno == EINTR) return {};
  if (size < 0 && errno != ECONNRESET) return system_error("recv");
  return unavailable_error(fmt::format("the broker at '{}' closed the connection", path_));
}

}  // namespace mpb::ctl
