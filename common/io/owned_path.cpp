#include "common/io/owned_path.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/unique_fd.hpp"

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

bool is_left_behind(const Endpoint& endpoint) {
  struct stat status {};
  if (::lstat(endpoint.path().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && ::connect(probe.get(), endpoint.data(), endpoint.length) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace mpb
