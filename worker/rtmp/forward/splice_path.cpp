#include "worker/rtmp/forward/splice_path.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/io/foreign_descriptor.hpp"

namespace mpb::rtmp {
namespace {

constexpr std::size_t kKeptPipes = 16;
constexpr std::size_t kBurst = 64 * 1024;  // a pipe's capacity; see pipe(7)
constexpr std::size_t kProbablyMore = 16 * 1024;
constexpr int kBursts = 4;  // in one go, so that other connections have their turn
constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

}  // namespace

std::optional<Pipe> PipePool::take() {
  if (!pipes_.empty()) {
    Pipe pipe = std::move(pipes_.back());
    pipes_.pop_back();
    return pipe;
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void PipePool::give_back(Pipe pipe) {
  if (pipes_.size() < kKeptPipes) pipes_.push_back(std::move(pipe));
}

bool SplicePath::pump(PipePool& pool, int source, int sink, bool copies) {
  bool moved = false;
  for (int i = 0; i < kBursts && state_ != State::kBroken; ++i) {
    if (waiting_ == 0 && (state_ == State::kEnded || !fill(pool, source, copies))) break;
    const std::size_t filled = waiting_;
    if (!empty(sink, copies)) {
      moved = moved || waiting_ < filled;
      break;
    }
    moved = true;
    // Rather than ask a source that has probably nothing left: epoll tells.
    if (filled < kProbablyMore) break;
  }
  if (pipe_ && waiting_ == 0) pool.give_back(*std::exchange(pipe_, std::nullopt));
  return moved;
}

/// True when there are bytes to write.
bool SplicePath::fill(PipePool& pool, int source, bool copies) {
  if (!copies && !pipe_) pipe_ = pool.take();
  if (!copies && !pipe_) {
    pipe_error_ = errno;
    return false;
  }
  const ssize_t count =
      copies ? fill_copy(source)
             : ::splice(source, nullptr, pipe_->write_end.get(), nullptr, kBurst, kFlags);
  if (count > 0) {
    waiting_ = static_cast<std::size_t>(count);
    return true;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  source_failed_ = count < 0;
  state_ = State::kEnded;
  return false;
}

ssize_t SplicePath::fill_copy(int source) {
  copy_.resize(kBurst);
  const ssize_t count = receive_bytes(source, copy_.data(), copy_.size());
  const int error = errno;
  copy_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  errno = error;
  return count;
}

/// True when nothing is left to write.
bool SplicePath::empty(int sink, bool copies) {
  while (waiting_ > 0) {
    const ssize_t count = copies || !copy_.empty() ? send_copy(sink)
                                                   : ::splice(pipe_->read_end.get(), nullptr, sink,
                                                              nullptr, waiting_, kFlags);
    if (count > 0) {
      waiting_ -= static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    state_ = State::kBroken;
    pipe_.reset();  // what is left in it must not reach another connection
    copy_ = std::string();
    waiting_ = 0;
    return false;
  }
  copy_ = std::string();
  return true;
}

ssize_t SplicePath::send_copy(int sink) {
  if (copy_.empty()) {
    copy_.resize(waiting_);
    const ssize_t count = ::read(pipe_->read_end.get(), copy_.data(), copy_.size());
    if (count <= 0) return count;
    copy_.resize(static_cast<std::size_t>(count));
  }
  const ssize_t count = ::send(sink, copy_.data(), copy_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count > 0) copy_.erase(0, static_cast<std::size_t>(count));
  return count;
}

}  // namespace mpb::rtmp
