#include "common/process/service_manager.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <utility>

#include "common/base/plain_text.hpp"
#include "common/io/descriptor_passing.hpp"

namespace mpb {
namespace {

constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START
constexpr std::int64_t kMostInherited = 100'000;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

bool is_for_us(const char* pid_variable) {
  const std::string_view pid = environment(pid_variable);
  return pid == std::to_string(::getpid());
}

}  // namespace

void notify_service_manager(std::string_view assignments) {
  (void)send_to_service_manager(plain_lines(assignments), -1, Duration{0});
}

Status send_to_service_manager(std::string_view text, int descriptor, Duration limit) {
  const std::string_view path = environment("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path.size() < 2 || path.size() >= sizeof address.sun_path) {
    return unavailable_error("there is no service manager ($NOTIFY_SOCKET)");
  }
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int waits = limit == Duration{0} ? SOCK_NONBLOCK : 0;
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | waits, 0));
  const timeval most{limit.count() / 1'000, limit.count() % 1'000 * 1'000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);

  const std::span<const int> passed(&descriptor, descriptor >= 0 ? 1 : 0);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) {
    ssize_t sent = -1;
    do {
      sent = send_passing(socket.get(), text, passed);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return {};
  }
  return system_error("tell the service manager");
}

std::string told_of_failed_reload(std::size_t problems) {
  return fmt::format("READY=1\nSTATUS=Reload failed, nothing was changed: {}, see the log",
                     problems == 1 ? "1 problem" : fmt::format("{} problems", problems));
}

std::optional<Duration> watchdog_interval() {
  const auto microseconds = parse_integer(environment("WATCHDOG_USEC"), 2'000, INT64_MAX);
  if (!microseconds) return std::nullopt;
  if (!environment("WATCHDOG_PID").empty() && !is_for_us("WATCHDOG_PID")) return std::nullopt;
  return Duration{*microseconds / 2'000};
}

std::vector<PassedDescriptor> take_passed_descriptors() {
  std::vector<PassedDescriptor> passed;
  const auto count = parse_integer(environment("LISTEN_FDS"), 1, kMostInherited);
  if (count && is_for_us("LISTEN_PID")) {
    std::string_view names = environment("LISTEN_FDNAMES");
    for (int fd = kFirstInherited; fd < kFirstInherited + *count; ++fd) {
      const auto colon = names.find(':');
      PassedDescriptor& next = passed.emplace_back();
      next.descriptor.reset(fd);
      next.name = names.substr(0, colon);
      names.remove_prefix(colon == std::string_view::npos ? names.size() : colon + 1);
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  return passed;
}

}  // namespace mpb
