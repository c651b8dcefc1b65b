#include "common/log/prompt_output.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace mpb {
namespace {

bool is_for_writing(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags != -1 && (flags & O_ACCMODE) != O_RDONLY;
}

/// Errors of open(2) that may pass: a FIFO that nobody reads, a terminal that was hung up, no
/// descriptor. The others say that it may not be opened, or that there is no /proc.
bool may_pass(int code) {
  return code == ENXIO || code == EIO || code == EMFILE || code == ENFILE || code == ENOMEM ||
         code == EINTR;
}

}  // namespace

ssize_t PromptOutput::write(std::string_view text) {
  if (way_ == Way::kNone) way_ = find_way();
  switch (way_) {
    case Way::kSend:
      return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::kDirect:
      return ::write(fd_, text.data(), text.size());
    case Way::kReopened:
      return ::write(reopened_.get(), text.data(), text.size());
    case Way::kBackground:
      return background_->write(text);
    case Way::kNone:
      break;
  }
  return -1;
}

PromptOutput::Way PromptOutput::find_way() {
  struct stat info {};
  if (!is_for_writing(fd_) || ::fstat(fd_, &info) != 0) return Way::kNone;
  if (S_ISSOCK(info.st_mode)) return Way::kSend;
  // Not opened again: it would get an offset of its own, and others write there, too.
  if (S_ISREG(info.st_mode) || S_ISBLK(info.st_mode)) return Way::kDirect;
  return reopen();
}

PromptOutput::Way PromptOutput::reopen() {
  const std::string path = "/proc/self/fd/" + std::to_string(fd_);
  reopened_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (reopened_) return Way::kReopened;
  if (may_pass(errno)) return Way::kNone;
  try {
    background_.emplace(fd_);
  } catch (const std::system_error&) {
    return Way::kNone;
  }
  return Way::kBackground;
}

}  // namespace mpb
