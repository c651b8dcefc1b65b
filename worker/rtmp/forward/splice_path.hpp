// One direction of a forwarded connection: bytes go from socket to socket through a pipe and never
// into this process (splice(2)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/unique_fd.hpp"

namespace mpb::rtmp {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

/// Empty pipes for reuse. A path has one only while bytes wait in it, so that connections that are
/// idle or whose readers keep up share a few.
class PipePool {
 public:
  /// Nothing: pipe2(2) failed, errno says why.
  std::optional<Pipe> take();
  void give_back(Pipe pipe);
  /// Closes those that nobody has.
  void clear() { pipes_.clear(); }

 private:
  std::vector<Pipe> pipes_;
};

class SplicePath {
 public:
  /// Moves what the source has and the sink takes, a bounded amount. Both must be non-blocking,
  /// unless `copies`: then bytes go through this process, by calls that never wait. True when bytes
  /// moved.
  bool pump(PipePool& pool, int source, int sink, bool copies = false);

  /// The state after pump(). Nothing is read while bytes wait: at most a pipe full does.
  [[nodiscard]] bool wants_to_read() const { return waiting_ == 0 && state_ == State::kOpen; }
  [[nodiscard]] bool wants_to_write() const { return waiting_ != 0 && state_ != State::kBroken; }

  /// The source has ended (or failed) and everything it sent is written.
  [[nodiscard]] bool is_done() const { return waiting_ == 0 && state_ == State::kEnded; }
  /// The source ended with an error.
  [[nodiscard]] bool source_failed() const { return source_failed_; }
  /// The sink takes nothing any more; what waited is lost.
  [[nodiscard]] bool is_broken() const { return state_ == State::kBroken; }
  /// pump() could not have a pipe: errno of pipe2(2), else 0.
  [[nodiscard]] int pipe_error() const { return pipe_error_; }

 private:
  enum class State : std::uint8_t { kOpen, kEnded, kBroken };

  bool fill(PipePool& pool, int source, bool copies);
  ssize_t fill_copy(int source);
  bool empty(int sink, bool copies);
  ssize_t send_copy(int sink);

  std::optional<Pipe> pipe_;
  std::size_t waiting_ = 0;  // bytes in the pipe and in copy_
  std::string copy_;         // read here, not written; before those in the pipe, or without any
  State state_ = State::kOpen;
  bool source_failed_ = false;
  int pipe_error_ = 0;
};

}  // namespace mpb::rtmp
