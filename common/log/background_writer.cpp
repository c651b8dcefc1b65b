#include "common/log/background_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "common/io/signals.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxKept = 65'536;  // bytes; as much as a pipe takes
constexpr std::chrono::seconds kFarewell{1};

/// Also when somebody who shares the descriptor's flags has made it non-blocking.
ssize_t write_and_wait(int fd, std::string_view text) {
  const ssize_t written = ::write(fd, text.data(), text.size());
  if (written >= 0) return written;
  if (errno == EINTR) return 0;
  if (errno != EAGAIN) return -1;
  pollfd room{fd, POLLOUT, 0};
  ::poll(&room, 1, -1);
  return 0;
}

}  // namespace

struct BackgroundWriter::Shared {
  explicit Shared(int descriptor) : fd(descriptor) {}

  const int fd;
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable rest;
  std::string kept;
  bool poked = false;  // there is something to try; cleared when the descriptor refuses
  bool ended = false;
};

BackgroundWriter::BackgroundWriter(int fd) : shared_(std::make_shared<Shared>(fd)) {
  const AllSignalsBlocked in_the_thread;
  std::thread([shared = shared_] { run(shared); }).detach();
}

BackgroundWriter::~BackgroundWriter() {
  std::unique_lock lock(shared_->mutex);
  shared_->rest.wait_for(lock, kFarewell, [this] { return !shared_->poked; });
  shared_->ended = true;
  shared_->work.notify_one();
}

ssize_t BackgroundWriter::write(std::string_view lines) {
  const std::scoped_lock lock(shared_->mutex);
  shared_->poked = true;
  shared_->work.notify_one();
  if (shared_->kept.size() + lines.size() > kMaxKept) {
    errno = EAGAIN;
    return -1;
  }
  shared_->kept += lines;
  return static_cast<ssize_t>(lines.size());
}

/// A line at a time: other writers of the same pipe are not cut into.
void BackgroundWriter::run(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->work.wait(lock, [&] { return shared->poked || shared->ended; });
    if (shared->ended) return;
    const std::string line = shared->kept.substr(0, shared->kept.find('\n') + 1);
    lock.unlock();
    const ssize_t written = write_and_wait(shared->fd, line);
    lock.lock();
    if (written > 0) shared->kept.erase(0, static_cast<std::size_t>(written));
    if (written < 0 || shared->kept.empty()) {
      shared->poked = false;
      shared->rest.notify_all();
    }
  }
}

}  // namespace mpb
