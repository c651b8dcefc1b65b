#include "common/config/kept_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

namespace mpb {

KeptFile::KeptFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  file_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

bool KeptFile::is_current() const {
  struct stat own {};
  if (!file_ || ::fstat(file_.get(), &own) != 0) return false;
  struct stat named {};
  if (::stat(path_.c_str(), &named) == 0) {
    return own.st_dev == named.st_dev && own.st_ino == named.st_ino;
  }
  // Its folder may not be looked into either: then whatever took its place has unlinked it.
  return errno == EACCES && own.st_nlink > 0;
}

}  // namespace mpb
