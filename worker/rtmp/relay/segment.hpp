// Memory for a stream's log, of which sockets take bytes by reference (sendfile(2)): the same pages
// go to all players, and none has a copy of its own.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"

namespace mpb::rtmp {

class Segment;

/// One file in memory (memfd_create(2)) for the segments of all streams; it takes up as much memory
/// as they do. Where the system has none to give, segments are ordinary memory.
class SegmentFile {
 public:
  SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Why there is no file; empty: there is one.
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  /// Bytes of memory that its segments take up, in the file or not.
  [[nodiscard]] std::uint64_t memory() const { return memory_; }

 private:
  friend class Segment;

  UniqueFd fd_;
  std::string why_not_;
  std::uint64_t memory_ = 0;
  off_t end_ = 0;  // no place is used twice: a socket may still need what was there
};

/// Bytes are appended, and then stay as they are while the segment lives; what sockets have taken
/// stays as it is after that, too.
class Segment {
 public:
  /// `file`: outlives it; null: ordinary memory. Throws std::bad_alloc.
  Segment(SegmentFile* file, std::size_t capacity);
  Segment(Segment&& other) noexcept;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  Segment& operator=(Segment&&) = delete;
  ~Segment();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t room() const { return capacity_ - size_; }
  /// No more than there is room for.
  void append(std::string_view bytes);
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }

  /// Where its first byte is in the file; nothing: it is ordinary memory.
  [[nodiscard]] std::optional<off_t> place() const;
  /// Only ordinary memory can be used again: sockets have none of it.
  void reuse_if_ordinary() {
    if (!in_file_) size_ = 0;
  }

 private:
  void take_from_file();

  SegmentFile* file_;     // that counts it; null: nobody does
  bool in_file_ = false;  // not in ordinary memory
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_;
  off_t place_ = 0;
};

}  // namespace mpb::rtmp
