#include "common/process/exit_reports.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace mpb {
namespace {

constexpr std::size_t kMostKept = 4096;  // processes of others are told of, too

struct Report {
  std::uint32_t pid;
  std::int32_t status;
};

}  // namespace

ExitReports::~ExitReports() {
  loop_.remove(watch_, socket_.get());
}

Status ExitReports::open(UniqueFd socket) {
  const auto watch = loop_.add(socket.get(), EPOLLIN, *this);
  if (!watch) return watch.error();
  watch_ = *watch;
  socket_ = std::move(socket);
  return {};
}

void ExitReports::read() {
  if (!socket_) return;
  Report report{};
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), &report, sizeof report, MSG_DONTWAIT);
    if (size == sizeof report) {
      if (ended_.size() >= kMostKept) ended_.clear();
      ended_[static_cast<pid_t>(report.pid)] = report.status;
    } else if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) {
      loop_.remove(watch_, socket_.get());
      return socket_.reset();  // nobody sends any more
    } else if (size < 0 && errno == EAGAIN) {
      return;
    }
  }
}

std::optional<int> ExitReports::take(pid_t pid) {
  read();
  const auto found = ended_.find(pid);
  if (found == ended_.end()) return std::nullopt;
  const int status = found->second;
  ended_.erase(found);
  return status;
}

}  // namespace mpb
