#include "common/owned_path.hpp"

#include <unistd.h>

namespace mpb {

OwnedPath::OwnedPath(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

OwnedPath::State OwnedPath::state() const {
  struct stat status {};
  if (path_.empty()) return State::kOurs;
  if (::lstat(path_.c_str(), &status) != 0) return State::kGone;
  const bool ours = status.st_dev == device_ && status.st_ino == inode_;
  return ours ? State::kOurs : State::kReplaced;
}

OwnedPath::~OwnedPath() {
  if (!path_.empty() && state() == State::kOurs) ::unlink(path_.c_str());
}

}  // namespace mpb
