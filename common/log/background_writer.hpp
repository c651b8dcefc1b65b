// Writing where a write may wait: in a thread of its own, so that nobody else does.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string_view>

namespace mpb {

/// Writes lines to a descriptor in the background. What cannot be written yet is kept, up to a
/// bound. The thread has all signals blocked, and is not waited for when the process ends.
class BackgroundWriter {
 public:
  /// Throws std::system_error when the system has no thread to give. `fd` stays open.
  explicit BackgroundWriter(int fd);
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;
  /// What was taken is written if that can be done soon.
  ~BackgroundWriter();

  /// Takes all of `lines`, which end in a newline, or none: -1, errno is EAGAIN.
  ssize_t write(std::string_view lines);

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

}  // namespace mpb
